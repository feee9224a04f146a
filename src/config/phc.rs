//! The outer form of an Argon2id hash, so that a mistyped one is found before somebody needs it.

use std::ops::RangeInclusive;

/// Most memory of one check in KiB: 1 GiB. A hash that asks for more would stop the gateway.
const MAX_MEMORY: u32 = 1024 * 1024;
/// Most memory of one check in KiB times its passes: 2 GiB are some seconds of a processor, which every
/// guess of a stranger costs.
const MAX_WORK: u64 = 2 * 1024 * 1024;
/// Memory in KiB and passes of the hashes that are made today (the least that OWASP advises).
const TODAY: (u32, u32) = (19_456, 2);

/// Whether `text` has the PHC form of an Argon2id hash with bearable parameters.
///
/// # Errors
/// What is wrong, without any part of the text.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    let mut fields = text.split('$');
    if fields.next() != Some("") || fields.next() != Some("argon2id") {
        return Err("this is no Argon2id hash");
    }
    let mut field = fields.next();
    if let Some(version) = field.and_then(|field| field.strip_prefix("v=")) {
        if !matches!(version, "16" | "19") {
            return Err("this version of Argon2 is unknown");
        }
        field = fields.next();
    }
    check_parameters(field.unwrap_or_default())?;
    // 8 to 64 bytes of salt, 16 to 64 bytes of hash, in base64 without padding.
    let salt = fields.next().is_some_and(|salt| is_base64(salt, 11..=86));
    let hash = fields.next().is_some_and(|hash| is_base64(hash, 22..=86));
    if salt && hash && fields.next().is_none() {
        Ok(())
    } else {
        Err("this Argon2id hash is incomplete")
    }
}

/// Whether a hash whose form is right is cheaper to guess than those that `hash-password` makes.
pub fn is_weak(text: &str) -> bool {
    let [memory, passes, _] = parameters(text).map(values).unwrap_or_default();
    let work = |memory: u32, passes: u32| u64::from(memory) * u64::from(passes);
    work(memory.unwrap_or(0), passes.unwrap_or(0)) < work(TODAY.0, TODAY.1)
}

/// m, t and p.
/// How much work a hash makes: `m=19456,t=2,p=1`.
pub(super) fn parameters(text: &str) -> Option<&str> {
    text.split('$').find(|field| field.starts_with("m="))
}

fn values(field: &str) -> [Option<u32>; 3] {
    let mut values = [None; 3];
    for (parameter, (value, name)) in field.split(',').zip(values.iter_mut().zip(["m", "t", "p"])) {
        let (found, number) = parameter.split_once('=').unwrap_or_default();
        *value = (found == name)
            .then(|| number.parse::<u32>().ok())
            .flatten();
    }
    values
}

fn check_parameters(field: &str) -> Result<(), &'static str> {
    let [Some(memory), Some(passes), Some(lanes)] = values(field) else {
        return Err("this Argon2id hash has no parameters m, t, p");
    };
    if field.split(',').count() > 3 {
        return Err("this Argon2id hash has unknown parameters");
    }
    let work = u64::from(memory) * u64::from(passes);
    if memory > MAX_MEMORY || work > MAX_WORK || passes > 64 || lanes > 64 {
        return Err("this Argon2id hash asks for too much memory or time");
    }
    if passes == 0 || lanes == 0 || memory / 8 < lanes {
        return Err("this Argon2id hash has parameters that are too small");
    }
    Ok(())
}

fn is_base64(text: &str, length: RangeInclusive<usize>) -> bool {
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    length.contains(&text.len()) && text.bytes().all(alphabet) && text.len() % 4 != 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "c2FsdHNhbHRzYWx0c2FsdA";
    const HASH: &str = "Ym9keWJvZHlib2R5Ym9keWJvZHlib2R5Ym9keWJvZHk";

    #[test]
    fn a_hash_with_bearable_parameters_passes() {
        for head in [
            "v=19$m=19456,t=2,p=1",
            "m=65536,t=3,p=4",
            "v=19$m=1048576,t=1,p=1",
        ] {
            assert_eq!(check(&format!("$argon2id${head}${SALT}${HASH}")), Ok(()));
        }
    }

    #[test]
    fn a_hash_with_less_work_than_todays_is_weak() {
        for (head, weak) in [
            ("v=19$m=19456,t=2,p=1", false),
            ("m=65536,t=1,p=4", false),
            ("v=19$m=19456,t=1,p=1", true),
            ("m=4096,t=3,p=1", true),
        ] {
            assert_eq!(
                is_weak(&format!("$argon2id${head}${SALT}${HASH}")),
                weak,
                "{head}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "hunter2".to_owned(),
            String::new(),
            format!("$argon2i$v=19$m=19456,t=2,p=1${SALT}${HASH}"),
            format!("$argon2id$v=18$m=19456,t=2,p=1${SALT}${HASH}"),
            format!("$argon2id$v=19$m=1048577,t=2,p=1${SALT}${HASH}"),
            format!("$argon2id$v=19$m=1048576,t=3,p=1${SALT}${HASH}"),
            format!("$argon2id$v=19$m=19456,t=65,p=1${SALT}${HASH}"),
            format!("$argon2id$v=19$m=19456,t=2,p=65${SALT}${HASH}"),
            format!("$argon2id$v=19$m=19456,t=0,p=1${SALT}${HASH}"),
            format!("$argon2id$v=19$m=8,t=2,p=2${SALT}${HASH}"),
            format!("$argon2id$v=19$m=19456,t=2${SALT}${HASH}"),
            format!("$argon2id$v=19$m=19456,t=2,p=1,data=AA${SALT}${HASH}"),
            format!("$argon2id$v=19$m=19456,t=2,p=1${SALT}"),
            format!("$argon2id$v=19$m=19456,t=2,p=1${SALT}${HASH}$"),
            format!("$argon2id$v=19$m=19456,t=2,p=1$a${HASH}"),
            format!("$argon2id$v=19$m=19456,t=2,p=1${SALT}${HASH}="),
        ] {
            assert!(check(&text).is_err(), "{text}");
        }
    }
}
