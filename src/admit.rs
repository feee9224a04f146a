//! Decides what an authenticated submission becomes: jobs to send, jobs that end at once, or nothing.
//! A pure function of its arguments.

pub mod rate;

use std::collections::HashSet;
use std::sync::Arc;

use crate::authenticate::Sender;
use crate::authenticate::Standing;
use crate::config::Account;
use crate::config::Destinations;
use crate::fax::Destination;
use crate::fax::SubAddress;
use crate::lock::Use;
use crate::refusal::Refusal;
use crate::smtp::Address;
use crate::smtp::Proof;
use crate::status::Status;
use crate::submission::Recipient;

/// A submission that may be queued: [`crate::queue::enqueue`] takes nothing else, and only [`admit`]
/// makes one. A job that skipped admission does not compile.
#[derive(Clone, Debug)]
pub struct Admitted {
    account: Arc<Account>,
    address: Address,
    proof: Proof,
    jobs: Vec<AdmittedJob>,
}

/// One destination of an admitted submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmittedJob {
    /// Canonical destination, or the name of a list that is refused whole.
    pub destination: String,
    /// Whom it is for behind the number.
    pub sub_address: Option<SubAddress>,
    /// Name of the contact; empty if unknown.
    pub contact: String,
    /// Whether it came from a list.
    pub from_list: bool,
    /// Which of the recipients asked for it, from 0; the first if there are several.
    pub recipient: usize,
    /// What happens to it.
    pub fate: Fate,
}

/// What happens to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is sent.
    Send,
    /// It is settled at once with this status, and why.
    Ends(Status, &'static str),
}

impl Admitted {
    /// The account.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The address that selected it.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How the sender was proved.
    pub fn proof(&self) -> Proof {
        self.proof
    }

    /// One for each destination.
    pub fn jobs(&self) -> &[AdmittedJob] {
        &self.jobs
    }

    /// Parts it into what the lock stopped, which is settled and told at once, and what goes its
    /// ordinary way.
    pub fn part(self) -> (Option<Stopped>, Option<Self>) {
        let (stopped, going): (Vec<_>, Vec<_>) = self
            .jobs
            .iter()
            .cloned()
            .partition(|job| job.fate == STOPPED);
        let with = |jobs: Vec<AdmittedJob>| Self {
            jobs,
            ..self.clone()
        };
        let stopped = (!stopped.is_empty()).then(|| Stopped(with(stopped)));
        (stopped, (!going.is_empty()).then(|| with(going)))
    }
}

/// The part of a submission that the lock stopped (row C4).
#[derive(Clone, Debug)]
pub struct Stopped(Admitted);

impl Stopped {
    /// The jobs, all settled with 6002.
    pub fn jobs(&self) -> &Admitted {
        &self.0
    }

    /// The lists among them.
    pub fn lists(&self) -> impl Iterator<Item = &str> {
        let lists = self.0.jobs.iter().filter(|job| job.from_list);
        lists.map(|job| job.destination.as_str())
    }
}

const STOPPED: Fate = Fate::Ends(Status::STOPPED_BY_LOCK, "account locked");

/// Admits, or refuses as a whole.
///
/// # Errors
/// [`Refusal::NoSuchList`] when nothing but unknown lists was asked for.
pub fn admit(
    sender: &Sender,
    recipients: &[Recipient],
    rules: &Destinations,
) -> Result<Admitted, Refusal> {
    let mut asked = Asked {
        account: sender.account(),
        standing: sender.standing(),
        rules,
        seen: HashSet::new(),
        jobs: Vec::new(),
        unknown_lists: 0,
        at: 0,
    };
    for (at, recipient) in recipients.iter().enumerate() {
        asked.at = at;
        asked.add(recipient);
    }
    if asked.jobs.len() == asked.unknown_lists {
        return Err(Refusal::NoSuchList);
    }
    Ok(Admitted {
        jobs: asked.jobs,
        account: Arc::clone(sender.account()),
        address: sender.address().clone(),
        proof: match sender.standing() {
            Standing::Proved(proof) => proof,
            Standing::ListsLocked(proof) => proof,
            Standing::LockedUnproved => Proof::None,
        },
    })
}

struct Asked<'a> {
    account: &'a Account,
    standing: Standing,
    rules: &'a Destinations,
    seen: HashSet<(String, Option<SubAddress>)>,
    jobs: Vec<AdmittedJob>,
    unknown_lists: usize,
    /// The recipient being looked at.
    at: usize,
}

impl Asked<'_> {
    fn add(&mut self, recipient: &Recipient) {
        match recipient {
            Recipient::Fax(destination, sub_address) => {
                let fate = match self.standing {
                    Standing::LockedUnproved if Use::SendByPassword.stops_while_locked() => STOPPED,
                    Standing::LockedUnproved | Standing::ListsLocked(_) | Standing::Proved(_) => {
                        fate_of(destination, self.rules)
                    }
                };
                self.push(
                    (destination.canonical(), sub_address.clone()),
                    "",
                    false,
                    fate,
                );
            }
            Recipient::List(name) => self.add_list(name),
        }
    }

    fn add_list(&mut self, name: &str) {
        let Some(list) = self.account.list(name) else {
            let before = self.jobs.len();
            self.push(
                (name.to_owned(), None),
                "",
                true,
                Fate::Ends(Status::UNASSIGNED, "no such list"),
            );
            self.unknown_lists += self.jobs.len() - before;
            return;
        };
        let locked = match self.standing {
            Standing::LockedUnproved | Standing::ListsLocked(_) => true,
            Standing::Proved(_) => false,
        };
        if locked && Use::SendToList.stops_while_locked() {
            return self.push((list.name.clone(), None), "", true, STOPPED);
        }
        for member in &list.members {
            let fate = fate_of(&member.destination, self.rules);
            self.push(
                (member.destination.canonical(), None),
                &member.name,
                true,
                fate,
            );
        }
    }

    /// A destination that is asked for twice is one job, unless it is for two behind the number.
    fn push(
        &mut self,
        to: (String, Option<SubAddress>),
        contact: &str,
        from_list: bool,
        fate: Fate,
    ) {
        if self.seen.insert(to.clone()) {
            let (destination, sub_address) = to;
            self.jobs.push(AdmittedJob {
                destination,
                sub_address,
                contact: contact.to_owned(),
                from_list,
                recipient: self.at,
                fate,
            });
        }
    }
}

fn fate_of(destination: &Destination, rules: &Destinations) -> Fate {
    match is_allowed(destination, rules) {
        true => Fate::Send,
        false => Fate::Ends(Status::DESTINATION_DENIED, "destination not allowed"),
    }
}

/// Where faxes may go: the simulator always; numbers with an allowed prefix, unless one is denied.
pub fn is_allowed(destination: &Destination, rules: &Destinations) -> bool {
    let Destination::Number(number) = destination else {
        return true;
    };
    let matches = |prefixes: &[String]| {
        prefixes
            .iter()
            .any(|prefix| number.digits().starts_with(prefix.as_str()))
    };
    matches(&rules.allow) && !matches(&rules.deny)
}
