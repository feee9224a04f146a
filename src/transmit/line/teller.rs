//! What happens in T.30, as notes.

use spandsp::Direction;
use spandsp::Event;
use spandsp::Progress;
use spandsp::Signal;

use super::note::Note;
use super::note::Pages;
use crate::fax::CallProgress;
use crate::fax::StationId;
use crate::fax::SubAddress;

/// Turns events into notes. It outlives an engine that begins anew, so that nothing is told twice.
#[derive(Debug)]
pub(super) struct Teller {
    pages: Option<Pages>,
    remote_id: StationId,
    sub_address: Option<SubAddress>,
    heard: bool,
    last_page_sent: bool,
    confirmed: bool,
}

impl Teller {
    /// Of a call that sends these pages, or receives.
    pub(super) fn new(pages: Option<Pages>) -> Self {
        Self {
            pages,
            remote_id: StationId::default(),
            sub_address: None,
            heard: false,
            last_page_sent: false,
            confirmed: false,
        }
    }

    /// The notes of these events; `heard` says whether a tone was heard if this is audio, `progress` is where they led.
    pub(super) fn tell(
        &mut self,
        events: Vec<Event>,
        heard: Option<bool>,
        progress: &Progress,
    ) -> Vec<Note> {
        let mut notes = Vec::new();
        let message = |event: &Event| matches!(event, Event::Signal(Direction::Received, _));
        if heard.is_some_and(|tone| tone || events.iter().any(message)) && !self.heard {
            self.heard = true;
            notes.push(Note::FaxHeard);
        }
        for event in events {
            match event {
                Event::Signal(direction, signal) => self.signal(direction, signal, &mut notes),
                Event::Negotiated {
                    remote_id,
                    sub_address,
                } => self.negotiated(remote_id, sub_address, &mut notes),
                Event::Training { rate, ecm } => {
                    notes.push(Note::Progress(CallProgress::Training { rate, ecm }));
                }
                Event::Page(progress) => notes.push(self.page(&progress)),
                Event::Ended(_) => notes.push(Note::Progress(CallProgress::Released)),
            }
        }
        if progress.confirmed && !self.confirmed {
            self.confirmed = true;
            notes.push(Note::Confirmed);
        }
        notes
    }

    fn signal(&mut self, direction: Direction, signal: Signal, notes: &mut Vec<Note>) {
        match (direction, signal) {
            (Direction::Sent, Signal::Eop | Signal::PpsEop) if self.pages.is_some() => {
                if !self.last_page_sent {
                    self.last_page_sent = true;
                    notes.push(Note::Progress(CallProgress::LastPageSent));
                }
            }
            (Direction::Received, Signal::Rtn | Signal::Ppr) if self.last_page_sent => {
                self.last_page_sent = false;
                notes.push(Note::LastPageRefused);
            }
            (Direction::Received | Direction::Sent, _) => {}
        }
    }

    fn negotiated(
        &mut self,
        remote_id: Option<String>,
        sub_address: Option<String>,
        notes: &mut Vec<Note>,
    ) {
        let remote_id = StationId::from_far_end(remote_id.unwrap_or_default().as_bytes());
        if self.remote_id != remote_id {
            self.remote_id = remote_id.clone();
            notes.push(Note::Progress(CallProgress::Identified { remote_id }));
        }
        let sub_address = sub_address.and_then(|address| SubAddress::parse(&address));
        // A sender has none, and one that is no sub-address is none.
        if let Some(address) = sub_address.filter(|_| self.pages.is_none())
            && self.sub_address.as_ref() != Some(&address)
        {
            self.sub_address = Some(address.clone());
            notes.push(Note::SubAddress(address));
        }
    }

    fn page(&self, progress: &Progress) -> Note {
        let (first, of) = self
            .pages
            .map_or((0, 0), |pages| (pages.first, pages.total));
        Note::Progress(CallProgress::Page {
            confirmed: first.saturating_add(progress.pages),
            of,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pages: Option<Pages>, events: Vec<Event>) -> Vec<Note> {
        Teller::new(pages).tell(events, None, &Progress::default())
    }

    #[test]
    fn pages_of_earlier_calls_are_counted() {
        let page = Event::Page(Progress {
            pages: 1,
            ..Progress::default()
        });
        let pages = Some(Pages { first: 2, total: 5 });
        let expected = CallProgress::Page {
            confirmed: 3,
            of: 5,
        };
        assert_eq!(told(pages, vec![page]), [Note::Progress(expected)]);
    }

    #[test]
    fn the_end_of_the_last_page_is_open_until_it_is_answered() {
        let sent = || Event::Signal(Direction::Sent, Signal::PpsEop);
        let got = |signal| Event::Signal(Direction::Received, signal);
        let pages = Some(Pages { first: 0, total: 1 });
        let last = || Note::Progress(CallProgress::LastPageSent);
        let events = vec![sent(), sent(), got(Signal::Ppr), sent()];
        assert_eq!(told(pages, events), [last(), Note::LastPageRefused, last()]);
        // A receiver answers it itself.
        assert_eq!(told(None, vec![sent()]), []);
    }

    #[test]
    fn a_fax_is_heard_once_and_in_audio_only() {
        let dis = || Event::Signal(Direction::Received, Signal::Dis);
        assert_eq!(told(None, vec![dis(), dis()]), []);
        let (mut teller, progress) = (Teller::new(None), Progress::default());
        let mut hear = |events, tone| teller.tell(events, Some(tone), &progress);
        assert_eq!(hear(vec![], false), []);
        assert_eq!(hear(vec![dis(), dis()], false), [Note::FaxHeard]);
        assert_eq!(hear(vec![], true), []);
    }

    #[test]
    fn who_calls_is_told_when_it_is_said_or_changes() {
        let negotiated = |id: &str, sub: &str| Event::Negotiated {
            remote_id: Some(id.to_owned()),
            sub_address: Some(sub.to_owned()),
        };
        let events = vec![negotiated("+81 3", "12#"), negotiated("+81 3", "x\u{7}")];
        let remote_id = StationId::from_far_end(b"+81 3");
        let expected = [
            Note::Progress(CallProgress::Identified { remote_id }),
            Note::SubAddress(SubAddress::parse("12#").unwrap()),
        ];
        assert_eq!(told(None, events), expected);
    }
}
