//! T.30 on one of the two carriers: datagrams in, datagrams out, and time as it is told.

use spandsp::AudioFax;
use spandsp::Completion;
use spandsp::Event;
use spandsp::FaxCall;
use spandsp::Progress;
use spandsp::StartError;
use spandsp::Terminal;

use super::Carrier;
use super::Codec;
use super::Pacing;
use super::rtp;
use super::rtp::BLOCK;
use super::rtp::Sound;
use super::tone::Ear;
use super::udptl;

/// Samples of time that pass before an unpaced engine goes on without a packet.
const IDLE: u32 = BLOCK as u32;

/// One end of a call.
#[derive(Debug)]
pub(super) enum Engine {
    /// Over UDPTL.
    Packets(Box<Packets>),
    /// Over RTP.
    Sound(Box<Audio>),
}

/// A terminal and its datagrams.
#[derive(Debug)]
pub(super) struct Packets {
    terminal: Terminal,
    writer: udptl::Writer,
    reader: udptl::Reader,
}

/// A modem and its packets.
#[derive(Debug)]
pub(super) struct Audio {
    fax: AudioFax,
    writer: rtp::Writer,
    reader: rtp::Reader,
    ear: Ear,
    tone: bool,
    pacing: Pacing,
    /// Samples that should have been heard.
    due: u64,
    /// Samples to be sent next.
    owed: u64,
}

impl Engine {
    /// T.30 at its beginning.
    pub(super) fn new(
        call: &FaxCall,
        pacing: Pacing,
        carrier: Carrier,
        random: (u32, u16, u32),
    ) -> Result<Self, StartError> {
        Ok(match carrier {
            Carrier::T38 {
                max_datagram,
                redundancy,
                ..
            } => Self::Packets(Box::new(Packets {
                terminal: Terminal::new(call, pacing.into())?,
                writer: udptl::Writer::new(redundancy, max_datagram),
                reader: udptl::Reader::default(),
            })),
            Carrier::Audio { codec, .. } => {
                Self::Sound(Box::new(Audio::new(call, pacing, codec, random)?))
            }
        })
    }

    /// Goes on under what another session description says. `false` if that is the other kind of carrier.
    pub(super) fn adapt(&mut self, carrier: Carrier) -> bool {
        match (self, carrier) {
            (
                Self::Packets(packets),
                Carrier::T38 {
                    max_datagram,
                    redundancy,
                    ..
                },
            ) => packets.writer.adapt(redundancy, max_datagram),
            (Self::Sound(audio), Carrier::Audio { codec, .. }) => {
                audio.writer.adapt(codec);
                audio.reader.adapt(codec);
            }
            (Self::Packets(_), Carrier::Audio { .. }) | (Self::Sound(_), Carrier::T38 { .. }) => {
                return false;
            }
        }
        true
    }

    /// A datagram of the far end; `false` if it is none of this carrier.
    pub(super) fn receive(&mut self, datagram: &[u8]) -> bool {
        match self {
            Self::Packets(packets) => {
                let Packets {
                    terminal, reader, ..
                } = packets.as_mut();
                reader.read(datagram, |ifp, number| terminal.receive(ifp, number))
            }
            Self::Sound(audio) => audio.receive(datagram),
        }
    }

    /// Lets so many samples of time pass, and adds the datagrams to be sent.
    pub(super) fn advance(&mut self, samples: u32, out: &mut Vec<Vec<u8>>) {
        match self {
            Self::Packets(packets) => {
                let Packets {
                    terminal, writer, ..
                } = packets.as_mut();
                terminal.advance(samples, |packet| {
                    // Nobody takes more copies for a reason.
                    let copies = packet.copies.clamp(1, 5);
                    if let Some(datagram) = writer.datagram(packet.ifp) {
                        out.extend((0..copies).map(|_| datagram.clone()));
                    }
                });
            }
            Self::Sound(audio) => audio.advance(samples, out),
        }
    }

    /// Ends T.30 at once.
    pub(super) fn terminate(&mut self) {
        match self {
            Self::Packets(packets) => packets.terminal.terminate(),
            Self::Sound(audio) => audio.fax.terminate(),
        }
    }

    /// What happened since the last time.
    pub(super) fn take_events(&mut self) -> Vec<Event> {
        match self {
            Self::Packets(packets) => packets.terminal.take_events(),
            Self::Sound(audio) => audio.fax.take_events(),
        }
    }

    /// How far it is.
    pub(super) fn progress(&self) -> &Progress {
        match self {
            Self::Packets(packets) => packets.terminal.progress(),
            Self::Sound(audio) => audio.fax.progress(),
        }
    }

    /// How it ended, once it has.
    pub(super) fn completion(&self) -> Option<Completion> {
        match self {
            Self::Packets(packets) => packets.terminal.completion(),
            Self::Sound(audio) => audio.fax.completion(),
        }
    }

    /// Whether there is more to do.
    pub(super) fn is_active(&self) -> bool {
        match self {
            Self::Packets(packets) => packets.terminal.is_active(),
            Self::Sound(audio) => audio.fax.is_active(),
        }
    }

    /// Whether a tone of a fax machine was heard, if this is audio.
    pub(super) fn heard_tone(&self) -> Option<bool> {
        match self {
            Self::Packets(_) => None,
            Self::Sound(audio) => Some(audio.tone),
        }
    }

    /// Packets of the far end that were lost for good.
    pub(super) fn lost(&self) -> u64 {
        match self {
            Self::Packets(packets) => packets.reader.lost(),
            Self::Sound(audio) => audio.reader.lost(),
        }
    }
}

impl Audio {
    fn new(
        call: &FaxCall,
        pacing: Pacing,
        codec: Codec,
        (source, number, timestamp): (u32, u16, u32),
    ) -> Result<Self, StartError> {
        Ok(Self {
            fax: AudioFax::new(call)?,
            writer: rtp::Writer::new(codec, source, number, timestamp),
            reader: rtp::Reader::new(codec),
            ear: Ear::default(),
            tone: false,
            pacing,
            due: 0,
            owed: 0,
        })
    }

    fn receive(&mut self, datagram: &[u8]) -> bool {
        let Some(samples) = self.reader.take(datagram) else {
            return false;
        };
        if self.pacing == Pacing::Unpaced {
            // Both ends go on by what they hear.
            self.owed += samples as u64;
        }
        self.play();
        true
    }

    fn play(&mut self) {
        let Self {
            fax,
            reader,
            ear,
            tone,
            ..
        } = self;
        reader.play(self.due, |sound| match sound {
            Sound::Samples(samples) => {
                *tone |= ear.hear(samples);
                fax.receive(samples);
            }
            Sound::Lost(samples) => fax.receive_lost(samples),
        });
    }

    fn advance(&mut self, samples: u32, out: &mut Vec<Vec<u8>>) {
        match self.pacing {
            Pacing::Line => {
                self.due += u64::from(samples);
                self.owed += u64::from(samples);
            }
            // Somebody has to speak first, and again if a packet was lost.
            Pacing::Unpaced if self.owed == 0 && samples >= IDLE => self.owed = u64::from(IDLE),
            Pacing::Unpaced => {}
        }
        self.play();
        let mut block = [0; BLOCK];
        while let Some(owed) = self.owed.checked_sub(BLOCK as u64) {
            self.owed = owed;
            self.fax.transmit(&mut block);
            out.push(self.writer.packet(&block));
        }
    }
}

impl From<Pacing> for spandsp::Pacing {
    fn from(pacing: Pacing) -> Self {
        match pacing {
            Pacing::Line => Self::Line,
            Pacing::Unpaced => Self::Unpaced,
        }
    }
}
