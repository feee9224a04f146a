//! Who may do what to whose account in the account web (rows T2, T5, T7, T8). One table, for every page.

use crate::account::directory::Directory;
use crate::config::Account;
use crate::config::Role;

/// Somebody, as far as rights go.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    /// The account's id.
    pub id: &'a str,
    /// Its role.
    pub role: Role,
    /// The company it is a member of.
    pub company: Option<&'a str>,
}

impl<'a> Party<'a> {
    /// The party that `account` is.
    pub fn of(account: &'a Account) -> Self {
        Self {
            id: &account.id,
            role: account.role,
            company: account.company.as_deref(),
        }
    }
}

/// What can be done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Know of it, and read its data.
    See,
    /// Read who did what to it, and what it did.
    ReadAudit,
    /// Change names, addresses of the post and numbers.
    EditPerson,
    /// Change the address for notices and resets.
    EditEmail,
    /// End its lock.
    Unlock,
    /// Lock it by hand.
    Lock,
    /// Have the mail of a reset sent to its registered address.
    StartReset,
}

/// How the actor stands to the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Itself,
    /// A company admin and a customer of the same company.
    AdminOfMember,
    /// Two company admins of the same company.
    FellowAdmin,
    /// The help desk and a company admin.
    HelpDeskOfAdmin,
    /// The help desk and anybody else.
    HelpDeskOfOthers,
    Operator,
    /// Nothing to do with each other.
    Stranger,
}

/// Whether `actor` may do `deed` to `subject`. What it may not, it gets as if there were no such account.
pub fn may(actor: Party<'_>, deed: Deed, subject: Party<'_>) -> bool {
    use Deed::EditEmail;
    use Deed::EditPerson;
    use Deed::Lock;
    use Deed::ReadAudit;
    use Deed::See;
    use Deed::StartReset;
    use Deed::Unlock;
    let rights: &[Deed] = match standing(actor, subject) {
        // Nobody unlocks or re-issues their own: whoever holds a session must not help themselves.
        Standing::Itself => match actor.role {
            Role::Customer => &[See, EditPerson, EditEmail],
            Role::CompanyAdmin | Role::Operator => &[See, ReadAudit, EditPerson, EditEmail],
            // It never edits an e-mail address, also not its own (row T5).
            Role::HelpDesk => &[See, ReadAudit, EditPerson],
        },
        Standing::AdminOfMember => &[See, ReadAudit, EditPerson, EditEmail, Unlock, StartReset],
        // An admin's login is the help desk's affair (row T8): another address and a reset would take it over.
        Standing::FellowAdmin => &[See, ReadAudit, EditPerson],
        Standing::HelpDeskOfAdmin => &[See, ReadAudit, Unlock, StartReset],
        Standing::HelpDeskOfOthers => &[See, ReadAudit],
        Standing::Operator => &[
            See, ReadAudit, EditPerson, EditEmail, Unlock, Lock, StartReset,
        ],
        Standing::Stranger => &[],
    };
    rights.contains(&deed)
}

fn standing(actor: Party<'_>, subject: Party<'_>) -> Standing {
    if actor.id == subject.id {
        return Standing::Itself;
    }
    let same_company = actor.company.is_some() && actor.company == subject.company;
    match (actor.role, subject.role) {
        (Role::Operator, _) => Standing::Operator,
        (Role::HelpDesk, Role::CompanyAdmin) => Standing::HelpDeskOfAdmin,
        (Role::HelpDesk, Role::Customer | Role::Operator | Role::HelpDesk) => {
            Standing::HelpDeskOfOthers
        }
        (Role::CompanyAdmin, Role::Customer) if same_company => Standing::AdminOfMember,
        (Role::CompanyAdmin, Role::CompanyAdmin) if same_company => Standing::FellowAdmin,
        (Role::CompanyAdmin | Role::Customer, _) => Standing::Stranger,
    }
}

/// Who helps somebody who cannot log in (rows T2, T8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helper {
    /// An admin of the own company.
    CompanyAdmin,
    /// The help desk.
    HelpDesk,
    /// The operator.
    Operator,
}

impl Helper {
    /// Whom `account` asks: a member its company admin, an admin the help desk; the operator where there is none.
    pub fn of(account: &Account, directory: &Directory) -> Self {
        let party = Party::of(account);
        let is_there = |role: Role| {
            let mut others = directory.iter().map(|account| Party::of(account));
            others.any(|other| other.role == role && may(other, Deed::Unlock, party))
        };
        match account.role {
            Role::Customer if account.company.is_some() && is_there(Role::CompanyAdmin) => {
                Self::CompanyAdmin
            }
            Role::CompanyAdmin if is_there(Role::HelpDesk) => Self::HelpDesk,
            Role::Customer | Role::CompanyAdmin | Role::Operator | Role::HelpDesk => Self::Operator,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Accounts;
    use crate::config::Config;

    const DEEDS: [(char, Deed); 7] = [
        ('s', Deed::See),
        ('a', Deed::ReadAudit),
        ('p', Deed::EditPerson),
        ('e', Deed::EditEmail),
        ('u', Deed::Unlock),
        ('l', Deed::Lock),
        ('r', Deed::StartReset),
    ];

    const PARTIES: [(&str, Role, Option<&str>); 9] = [
        ("a-member", Role::Customer, Some("a")),
        ("a-admin", Role::CompanyAdmin, Some("a")),
        ("a-admin2", Role::CompanyAdmin, Some("a")),
        ("b-member", Role::Customer, Some("b")),
        ("b-admin", Role::CompanyAdmin, Some("b")),
        ("loner", Role::Customer, None),
        ("lone-admin", Role::CompanyAdmin, None),
        ("operator", Role::Operator, Some("a")),
        ("desk", Role::HelpDesk, Some("a")),
    ];

    fn rights(actor: usize, subject: usize) -> String {
        let party = |n: usize| {
            let (id, role, company) = PARTIES[n];
            Party { id, role, company }
        };
        let may = |(letter, deed): &(char, Deed)| {
            may(party(actor), *deed, party(subject)).then_some(*letter)
        };
        DEEDS.iter().filter_map(may).collect()
    }

    #[test]
    fn t5_t7_the_whole_table_of_who_may_do_what_to_whom() {
        // Columns: the subjects in the order above; `-` is nothing at all.
        let table = [
            ("a-member", "spe - - - - - - - -"),
            ("a-admin", "sapeur sape sap - - - - - -"),
            ("a-admin2", "sapeur sap sape - - - - - -"),
            ("b-member", "- - - spe - - - - -"),
            ("b-admin", "- - - sapeur sape - - - -"),
            ("loner", "- - - - - spe - - -"),
            ("lone-admin", "- - - - - - sape - -"),
            (
                "operator",
                "sapeulr sapeulr sapeulr sapeulr sapeulr sapeulr sapeulr sape sapeulr",
            ),
            ("desk", "sa saur saur sa saur sa saur sa sap"),
        ];
        for (n, (actor, row)) in table.iter().enumerate() {
            assert_eq!(*actor, PARTIES[n].0);
            let cells = (0..PARTIES.len()).map(|subject| match rights(n, subject) {
                none if none.is_empty() => "-".to_owned(),
                some => some,
            });
            assert_eq!(cells.collect::<Vec<_>>().join(" "), *row, "{actor}");
        }
    }

    #[test]
    fn t8_a_member_asks_its_admin_and_an_admin_the_help_desk() {
        let account = |id: &str, role: &str, company: &str| {
            format!(
                "[[account]]\nid = \"{id}\"\nrole = \"{role}\"\nsenders = [\"{id}@x.example\"]\n{company}\n"
            )
        };
        let of = |text: &str, id: &str| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("accounts.toml"), text).unwrap();
            let main = folder.path().join("faxgate.toml");
            let directory = Directory::new(&Accounts::load(&main, &Config::default()).unwrap());
            Helper::of(directory.by_id(id).unwrap(), &directory)
        };
        let own = "company = \"a\"";
        let all = [
            account("member", "customer", own),
            account("admin", "company-admin", own),
            account("other", "customer", "company = \"b\""),
            account("loner", "customer", ""),
            account("op", "operator", own),
        ]
        .concat();
        let with_desk = all.clone() + &account("desk", "help-desk", "");
        assert_eq!(of(&all, "member"), Helper::CompanyAdmin);
        assert_eq!(of(&all, "other"), Helper::Operator, "it has no admin");
        assert_eq!(of(&all, "loner"), Helper::Operator);
        assert_eq!(of(&all, "admin"), Helper::Operator, "there is no help desk");
        assert_eq!(of(&with_desk, "admin"), Helper::HelpDesk);
        assert_eq!(of(&with_desk, "op"), Helper::Operator);
        assert_eq!(of(&with_desk, "desk"), Helper::Operator);
    }
}
