//! Arbitrary bytes and changed files never make the readers panic.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        fuzz_config(&bytes);
    }

    #[test]
    fn no_change_of_a_good_file_makes_the_readers_panic(
        at in 0usize..4000,
        with in "[\\[\\]{}\"'=.,#\\n a-z0-9-]{0,6}",
        which in 0usize..3,
    ) {
        let uncommented: String = SHIPPED
            .lines()
            .map(|line| format!("{}\n", commented_key(line).unwrap_or(line)))
            .filter(|line| !line.starts_with('#'))
            .collect();
        let good = [
            uncommented.as_str(),
            include_str!("../../../config/accounts.toml"),
            include_str!("../../../config/profiles/interfax.toml"),
        ][which];
        let chars: Vec<char> = good.chars().collect();
        let (head, tail) = chars.split_at(at % chars.len());
        let changed: String = head.iter().chain(with.chars().collect::<Vec<_>>().iter()).chain(tail.iter().skip(1)).collect();
        fuzz_config(changed.as_bytes());
    }
}

#[test]
fn deep_nesting_is_an_error_and_not_the_end_of_the_stack() {
    for text in [
        format!("a = {}", "[".repeat(200_000)),
        format!("a = {}", "{a=".repeat(200_000)),
        format!("{}a = 1", "a.".repeat(200_000)),
        format!("[{}a]", "a.".repeat(200_000)),
    ] {
        fuzz_config(text.as_bytes());
        assert!(parse(&text).is_err());
    }
}
