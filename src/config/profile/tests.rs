//! The built-in profiles, and what a profile says at which time.

use super::*;

fn built(name: &str) -> Profile {
    Profile::built_in(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

const BEFORE: &str = "2027-01-14T23:59:59+09:00";
const BOUNDARY: &str = "2027-01-15T00:00:00+09:00";
const ALL: [CredentialKind; 4] = CredentialKind::ALL;

#[test]
fn the_built_in_profiles_have_no_mistakes() {
    let mut mistakes = Mistakes::default();
    let names: Vec<String> = built_in(&mut mistakes).into_keys().collect();
    assert_eq!(mistakes, Mistakes::default());
    assert_eq!(names, ["interfax", "rimnet", "standard", "twx21", "wakwak"]);
}

#[test]
fn i9_and_the_lock_of_the_interfax_profile_are_as_published() {
    let profile = built("interfax");
    let policy = profile.policy(CredentialKind::Password);
    assert_eq!((policy.min_length, policy.max_length), (7, 16));
    assert!(policy.needs_letter && policy.needs_digit);
    assert_eq!(policy.symbols.as_deref(), Some("!@#$%"));
    for name in ["interfax", "standard", "wakwak", "rimnet"] {
        let lock = built(name).lock;
        assert_eq!(lock.strikes, 3);
        assert_eq!(lock.within, Duration::from_secs(3600));
        assert_eq!(lock.lasts, Duration::from_secs(3600));
    }
}

#[test]
fn i2_reminds_in_the_interfax_profile_and_not_in_the_standard_one() {
    let reminder = built("interfax").reminder.unwrap();
    assert!((DAY * 30..=DAY * 92).contains(&reminder), "{reminder:?}");
    assert_eq!(built("standard").reminder, None);
}

#[test]
fn the_standard_profile_has_length_and_a_blocklist_and_no_composition_rules() {
    let profile = built("standard");
    for kind in ALL {
        let policy = profile.policy(kind);
        assert_eq!((policy.min_length, policy.max_length), (12, 128));
        assert!(!policy.needs_letter && !policy.needs_digit);
        assert_eq!(policy.symbols, None);
        assert!(policy.blocked.len() >= 200, "{}", policy.blocked.len());
    }
}

#[test]
fn t6_t8_the_twx21_profile_asks_for_letters_and_digits_and_its_lock_does_not_end_by_time() {
    let profile = built("twx21");
    let policy = profile.policy(CredentialKind::Password);
    assert_eq!((policy.min_length, policy.max_length), (8, 32));
    assert!(policy.needs_letter && policy.needs_digit);
    assert_eq!(policy.symbols.as_deref(), Some(""));
    assert!(profile.lock.strikes <= 10);
    assert_eq!(profile.lock.lasts, LockRule::UNTIL_RESET);
}

#[test]
fn r3_r4_the_rimnet_profile_has_a_rule_for_each_of_its_passwords() {
    let profile = built("rimnet");
    let mail = profile.policy(CredentialKind::MailPassword);
    let ftp = profile.policy(CredentialKind::FtpPassword);
    assert_eq!((mail.min_length, mail.max_length), (6, 16));
    assert!(mail.needs_lower && mail.needs_upper && mail.needs_digit);
    assert_eq!(mail.symbols.as_deref(), Some(""));
    assert!(!mail.first_is_letter && ftp.first_is_letter);
    let same = Policy {
        first_is_letter: false,
        ..ftp.clone()
    };
    assert_eq!(&same, mail, "the same but for its first character");
    let now = at(BEFORE);
    assert_eq!(profile.doors(now).web, CredentialKind::MailPassword);
    assert_eq!(profile.changeable(now), [CredentialKind::MailPassword]);
}

#[test]
fn w1_the_wakwak_profile_splits_in_the_boundary_second_and_not_one_before() {
    let profile = built("wakwak");
    let (before, after) = (at(BEFORE), at(BOUNDARY));
    let doors = profile.doors(before);
    assert_eq!(
        (doors.web, doors.smtp),
        (CredentialKind::Password, CredentialKind::Password)
    );
    let doors = profile.doors(Timestamp::from_ms(after.as_ms() - 1));
    assert_eq!(doors.smtp, CredentialKind::Password, "a millisecond before");
    let doors = profile.doors(after);
    assert_eq!(
        (doors.web, doors.smtp),
        (CredentialKind::Password, CredentialKind::SmtpPassword)
    );
    assert_eq!(
        profile.begins_as(CredentialKind::SmtpPassword),
        Some(CredentialKind::Password)
    );
    assert_eq!(
        profile.splits_into(CredentialKind::Password),
        [CredentialKind::SmtpPassword]
    );
    assert_eq!(profile.begins_as(CredentialKind::Password), None);
}

#[test]
fn w2_before_the_split_there_is_one_password_to_change_and_two_after_it() {
    let profile = built("wakwak");
    assert_eq!(profile.changeable(at(BEFORE)), [CredentialKind::Password]);
    assert_eq!(
        profile.changeable(at(BOUNDARY)),
        [CredentialKind::Password, CredentialKind::SmtpPassword]
    );
}

#[test]
fn w4_the_split_does_not_touch_the_mail_password() {
    let profile = built("wakwak");
    for now in [at(BEFORE), at(BOUNDARY)] {
        assert_eq!(profile.doors(now).body, CredentialKind::MailPassword);
    }
    assert_eq!(profile.begins_as(CredentialKind::MailPassword), None);
    assert_eq!(profile.begins_as(CredentialKind::FtpPassword), None);
}

fn read(text: &str) -> (Option<Arc<Profile>>, Mistakes) {
    let (mut profiles, mut mistakes) = (Profiles::new(), Mistakes::default());
    let source = Source::new(Path::new("own.toml"), text.to_owned());
    insert(&mut profiles, "own", &source, &mut mistakes);
    (profiles.remove("own"), mistakes)
}

#[test]
fn what_is_not_said_of_a_kind_is_as_in_the_rule_for_all() {
    let text = "[policy]\nmin_length = 6\nneeds_digit = true\nblock_common = false\n\
        [policy.mail_password]\nneeds_upper = true\nblocked = [\"Kaki\"]\n";
    let (profile, mistakes) = read(text);
    assert_eq!(mistakes, Mistakes::default());
    let profile = profile.unwrap();
    let mail = profile.policy(CredentialKind::MailPassword);
    assert!(mail.needs_upper && mail.needs_digit && mail.min_length == 6);
    assert!(mail.blocked.contains(&"kaki".to_owned()));
    let all = profile.policy(CredentialKind::SmtpPassword);
    assert!(!all.needs_upper && all.blocked.is_empty());
}

#[test]
fn whoever_says_nothing_lets_people_change_what_doors_ask_for() {
    let (profile, _) = read("[doors]\nbody = \"mail_password\"\n");
    assert_eq!(
        profile.unwrap().changeable(at(BEFORE)),
        [CredentialKind::Password, CredentialKind::MailPassword]
    );
}

#[test]
fn mistakes_of_the_further_tables_are_told() {
    for (text, problem) in [
        (
            "[doors]\nweb = \"ftp_password\"\n",
            "this word is unknown here",
        ),
        (
            "[change]\nonline = [\"ftp_password\"]\n",
            "this word is unknown here",
        ),
        ("[split]\nat = \"tomorrow\"\n", "this is no point in time"),
        (
            "[split.doors]\nsmtp = \"smtp_password\"\n",
            "this key is missing",
        ),
        ("[reminder]\nafter = \"1h\"\n", "this time is out of range"),
        ("[policy.mail_password]\nneeds_luck = true\n", "unknown key"),
    ] {
        let (_, mistakes) = read(text);
        let told = mistakes.to_string();
        assert!(told.contains(problem), "{text}: {told}");
    }
}
