//! What is said to a HylaFAX server: log in, hand in a job, ask how it is, fetch what came in.

use std::time::Duration;

use super::wire::Reply;
use super::wire::Trouble;
use super::wire::Wire;
use crate::secret::Secret;

/// More of a queue is not read.
const LONGEST_LIST: usize = 8 * 1024 * 1024;
/// Nor of the file that describes a job.
const LONGEST_RECORD: usize = 256 * 1024;

/// What not every server knows, and a fax arrives without.
const DISPENSABLE: [&str; 7] = [
    "BEGBR",
    "PAGECHOP",
    "TAGLINE",
    "TSI",
    "USECONTCOVER",
    "USEECM",
    "USETAGLINE",
];

/// How the server is reached.
#[derive(Clone, Debug)]
pub(super) struct Door {
    /// Host and port.
    pub(super) server: String,
    /// Who we are there.
    pub(super) user: String,
    /// Our password, if we have one.
    pub(super) password: Option<Secret>,
    /// The longest that the server may take for one answer.
    pub(super) patience: Duration,
}

/// A session: logged in, times in GMT, files as they are.
#[derive(Debug)]
pub(super) struct Session(Wire);

/// A job's number on the server.
pub(super) type JobId = u32;

/// What HylaFAX does with a job (sendq(5), `state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not (yet) handed to the scheduler; also what a session may still say of a job that was handed over in this second.
    Suspended,
    /// Waits for a time, a modem, or another call to this number.
    Waiting,
    /// Being sent.
    Active,
    /// Sent.
    Done,
    /// Given up.
    Failed,
}

/// How a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// What is done with it.
    pub(super) state: State,
    /// Why it failed or waits, in words.
    pub(super) status: String,
    /// The same as a number (`E345` is 345); 0 if there is none.
    pub(super) code: u16,
    /// Pages sent.
    pub(super) pages: u32,
    /// How often it was dialled.
    pub(super) dials: u32,
}

/// A line of the queue of received faxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// Name of the file in `recvq`: letters, digits, `.`, `-` and `_`.
    pub(super) file: String,
    /// Its pages are still coming in.
    pub(super) coming_in: bool,
    /// Its size in bytes.
    pub(super) size: usize,
    /// What went wrong while it was received; empty if nothing did, or the server does not know.
    pub(super) error: String,
    /// The caller's identifier as it was sent.
    pub(super) sender: String,
}

impl Session {
    /// Connects and logs in.
    pub(super) async fn open(door: &Door) -> Result<Self, Trouble> {
        let mut wire = Wire::connect(&door.server, door.patience).await?;
        let asked = wire.say(&format!("USER {}", door.user)).await?;
        match (asked.code, &door.password) {
            (230, _) => {}
            (331, Some(password)) => {
                let line = zeroize::Zeroizing::new(format!("PASS {}", password.expose()));
                wire.order(&line).await?;
            }
            (_, _) => return Err(Trouble::Refused(asked)),
        }
        wire.order("TZONE GMT").await?;
        wire.order("TYPE I").await?;
        Ok(Self(wire))
    }

    /// Asks for the rights of an administrator, which a server may want for files in `recvq`; whether they were given.
    pub(super) async fn become_administrator(&mut self, door: &Door) -> Result<bool, Trouble> {
        let Some(password) = &door.password else {
            return Ok(false);
        };
        let line = zeroize::Zeroizing::new(format!("ADMIN {}", password.expose()));
        Ok(self.0.say(&line).await?.code == 230)
    }

    /// Stores pages; where, as the server names it. They go with the session unless a job takes them.
    pub(super) async fn store(&mut self, tiff: &[u8]) -> Result<String, Trouble> {
        let begun = self.0.upload("STOT", tiff).await?;
        let named = begun.text.split_once("FILE:").map(|(_, rest)| rest.trim());
        let name = named.and_then(|rest| rest.split_whitespace().next());
        let name = name.filter(|name| name.starts_with('/') && !name.contains('"'));
        name.map(str::to_owned).ok_or(Trouble::Garbled)
    }

    /// Makes a job with these parameters; it exists nowhere but in this session until [`Self::submit`].
    pub(super) async fn new_job(
        &mut self,
        parameters: &[(&str, String)],
        document: &str,
    ) -> Result<JobId, Trouble> {
        let made = self.0.order("JNEW").await?;
        let id = made.text.split_once("jobid: ").map(|(_, rest)| rest);
        let id = id.and_then(|rest| rest.split([' ', '.']).next()?.parse().ok());
        let id = id.ok_or(Trouble::Garbled)?;
        for (name, value) in parameters {
            match self.0.order(&format!("JPARM {name} {value}")).await {
                Err(Trouble::Refused(_)) if DISPENSABLE.contains(name) => {}
                other => drop(other?),
            }
        }
        self.0.order(&format!("JPARM DOCUMENT {document}")).await?;
        Ok(id)
    }

    /// Hands the job to the scheduler.
    pub(super) async fn submit(&mut self) -> Result<Reply, Trouble> {
        self.0.order("JSUBM").await
    }

    /// How the job with this number and note is; a refusal if there is none, or it is another one.
    pub(super) async fn standing(&mut self, id: JobId, note: &str) -> Result<Standing, Trouble> {
        self.0.order(&format!("JOB {id}")).await?;
        let noted = self.0.order("JPARM JOBINFO").await?;
        if noted.text != note {
            return Err(Trouble::Refused(noted));
        }
        let state = State::from_word(&self.asked("STATE").await?).ok_or(Trouble::Garbled)?;
        Ok(Standing {
            state,
            code: self.code().await?,
            pages: number(&self.asked("NPAGES").await?).ok_or(Trouble::Garbled)?,
            dials: number(&self.asked("TOTDIALS").await?).ok_or(Trouble::Garbled)?,
            status: self.asked("STATUS").await?,
        })
    }

    async fn asked(&mut self, parameter: &str) -> Result<String, Trouble> {
        Ok(self.0.order(&format!("JPARM {parameter}")).await?.text)
    }

    /// Servers before 6.0 have words only.
    async fn code(&mut self) -> Result<u16, Trouble> {
        let said = match self.asked("ERRORCODE").await {
            Ok(said) => said,
            Err(Trouble::Refused(_)) => return Ok(0),
            Err(trouble) => return Err(trouble),
        };
        Ok(number(said.trim_start_matches('E'))
            .and_then(|code| code.try_into().ok())
            .unwrap_or_default())
    }

    /// The job with this note, waiting or done, and its state; the newest if there were several.
    pub(super) async fn find(&mut self, note: &str) -> Result<Option<(JobId, State)>, Trouble> {
        self.0.order("JOBFMT \"%j %a %J\"").await?;
        // In this order: what moves from one to the other meanwhile is seen in the second.
        for queue in ["sendq", "doneq"] {
            let command = format!("LIST {queue}");
            let list = self.0.download(&command, LONGEST_LIST).await?;
            let list = String::from_utf8_lossy(&list);
            let ours = list.lines().filter_map(|line| listed(line, note));
            if let Some(found) = ours.max_by_key(|(id, _)| *id) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Ends a job that waits or is being sent.
    pub(super) async fn kill(&mut self, id: JobId) -> Result<Reply, Trouble> {
        self.0.order(&format!("JKILL {id}")).await
    }

    /// Removes a job that has ended, or was never handed to the scheduler.
    pub(super) async fn delete(&mut self, id: JobId) -> Result<Reply, Trouble> {
        self.0.order(&format!("JDELE {id}")).await
    }

    /// What the server wrote down of a job that has ended: `key:value` lines (sendq(5)).
    pub(super) async fn record(&mut self, id: JobId) -> Result<String, Trouble> {
        let command = format!("RETR doneq/q{id}");
        let record = self.0.download(&command, LONGEST_RECORD).await?;
        Ok(String::from_utf8_lossy(&record).into_owned())
    }

    /// The queue of received faxes.
    pub(super) async fn received(&mut self) -> Result<Vec<Received>, Trouble> {
        self.0.order("RCVFMT \"%f|%z|%n|%e|%s\"").await?;
        let list = self.0.download("LIST recvq", LONGEST_LIST).await?;
        let list = String::from_utf8_lossy(&list);
        Ok(list.lines().filter_map(Received::parse).collect())
    }

    /// When a received file was last written, as 14 digits.
    pub(super) async fn written_at(&mut self, file: &str) -> Result<String, Trouble> {
        let said = self.0.order(&format!("MDTM recvq/{file}")).await?.text;
        let digits = said.bytes().all(|b| b.is_ascii_digit());
        match digits && !said.is_empty() {
            true => Ok(said),
            false => Err(Trouble::Garbled),
        }
    }

    /// The bytes of a received file.
    pub(super) async fn fetch(&mut self, file: &str, limit: usize) -> Result<Vec<u8>, Trouble> {
        self.0.download(&format!("RETR recvq/{file}"), limit).await
    }

    /// Removes a received file.
    pub(super) async fn remove(&mut self, file: &str) -> Result<Reply, Trouble> {
        self.0.order(&format!("DELE recvq/{file}")).await
    }
}

impl State {
    /// The state in the answer to `JPARM STATE`.
    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "SUSPENDED" => Self::Suspended,
            "PENDING" | "SLEEPING" | "BLOCKED" | "READY" => Self::Waiting,
            "ACTIVE" => Self::Active,
            "DONE" => Self::Done,
            "FAILED" => Self::Failed,
            _ => return None,
        })
    }

    /// The state in a listing (hfaxd(8), `%a`).
    fn from_letter(letter: &str) -> Option<Self> {
        Some(match letter {
            "T" => Self::Suspended,
            "P" | "S" | "B" | "W" => Self::Waiting,
            "R" => Self::Active,
            "D" => Self::Done,
            "F" => Self::Failed,
            _ => return None,
        })
    }
}

impl Received {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.trim_end().splitn(5, '|');
        let file = fields.next()?.trim();
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if !file.starts_with("fax") || file.len() > 100 || !file.bytes().all(plain) {
            return None;
        }
        Some(Self {
            file: file.to_owned(),
            coming_in: fields.next()?.contains('*'),
            size: fields.next()?.trim().parse().ok()?,
            error: fields.next()?.trim().to_owned(),
            sender: fields.next()?.trim().to_owned(),
        })
    }
}

fn listed(line: &str, note: &str) -> Option<(JobId, State)> {
    let mut words = line.trim_end().splitn(3, ' ');
    let (id, state) = (words.next()?, words.next()?);
    (words.next()? == note).then_some(())?;
    Some((id.parse().ok()?, State::from_letter(state)?))
}

fn number(text: &str) -> Option<u32> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_found_by_its_whole_note() {
        let found = listed("17 W faxgate 4-1\r", "faxgate 4-1");
        assert_eq!(found, Some((17, State::Waiting)));
        for other in [
            "17 W faxgate 4-11",
            "17 W",
            "x W faxgate 4-1",
            "17 Q faxgate 4-1",
        ] {
            assert_eq!(listed(other, "faxgate 4-1"), None, "{other}");
        }
    }

    #[test]
    fn received_faxes_are_listed_with_harmless_names_only() {
        let fax = Received::parse("fax000000001.tif|*|796||+81 3|x\r").unwrap();
        assert!(fax.coming_in);
        assert_eq!((fax.size, fax.sender.as_str()), (796, "+81 3|x"));
        for bad in [
            "../etc/hosts.hfaxd| |796||",
            "fax/../x| |796||",
            "seqf| |4||",
            "fax1.tif| |many||",
            "fax1.tif| |796",
            "fax 1.tif| |796||",
        ] {
            assert_eq!(Received::parse(bad), None, "{bad}");
        }
    }
}
