//! One message or a refusal, whatever a client puts where the end of a message should be (threat of SMTP smuggling:
//! two servers that see the end in two places make two mails of one).

use std::ops::Range;
use std::sync::Arc;

use faxgate::config::Network;
use faxgate::ingress;
use faxgate::ingress::Service;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::sync::watch;

use crate::certificates;
use crate::certificates::Made;
use crate::recording_door::Recorded;
use crate::recording_door::Recorder;
use crate::recording_door::TokioClock;
use crate::recording_door::limits;

/// What some server takes for the end of a message, and nobody should.
const NO_ENDS: [&str; 20] = [
    "\n.\n",
    "\n.\r\n",
    "\n.\r",
    "\r\n.\n",
    "\r\n.\r",
    "\r.\r",
    "\r.\r\n",
    "\r.\n",
    "\r\r\n.\r\r\n",
    "\r\n.\r\r\n",
    "\r\n\0.\r\n",
    "\r\n.\0\r\n",
    "\r\n.\r\0\n",
    "\r\0\n.\r\n",
    "\0.\0",
    "\n.\n\r\n",
    "\r\n..\r\n",
    "\r\n. \r\n",
    "\u{85}.\u{85}",
    "\r\n\u{ff0e}\r\n",
];

const FIRST: &str = "Subject: first\r\n\r\nbegin";
const SMUGGLED: &str = "MAIL FROM:<smuggler@victim.example>\r\nRCPT TO:<0399999999@fax.example>\r\nDATA\r\n\
                        Subject: smuggled\r\n\r\nsmuggled";
const SECOND: &str = "Subject: second\r\n\r\nsecond\r\n";

/// How a client speaks.
#[derive(Clone, Copy, Debug)]
struct Way {
    tls: bool,
    chunks: bool,
    /// Whether the client's address is listed as one of old devices.
    lenient: bool,
}

/// What goes over the wire before the answer to DATA, after it, and where in that the pretended end is.
struct Wire {
    before: String,
    after: Vec<u8>,
    end: Range<usize>,
}

fn wire(way: Way, no_end: &str, followed: bool) -> Wire {
    let envelope = "MAIL FROM:<a@customer.example>\r\nRCPT TO:<0312345678@fax.example>\r\n";
    let content = format!("{FIRST}{no_end}{SMUGGLED}\r\n");
    let mut before = format!("EHLO client.example\r\n{envelope}");
    let mut after = String::new();
    match way.chunks {
        true => after.push_str(&format!("BDAT {} LAST\r\n", content.len())),
        false => before.push_str("DATA\r\n"),
    }
    let begin = after.len() + FIRST.len();
    after.push_str(&content);
    if !way.chunks {
        after.push_str(".\r\n");
    }
    if followed && way.chunks {
        after.push_str(&format!("{envelope}BDAT {} LAST\r\n{SECOND}", SECOND.len()));
    } else if followed {
        after.push_str(&format!("{envelope}DATA\r\n{SECOND}.\r\n"));
    }
    after.push_str("QUIT\r\n");
    Wire {
        before,
        after: after.into_bytes(),
        end: begin..begin + no_end.len(),
    }
}

/// Each way to cut the bytes into packets: not at all, before every byte, and once at each place in and around the
/// pretended end.
fn cuts(wire: &Wire) -> Vec<Vec<usize>> {
    let around = wire.end.start - 1..=wire.end.end + 1;
    let mut cuts = vec![Vec::new(), (1..wire.after.len()).collect()];
    cuts.extend(around.map(|at| vec![at]));
    cuts
}

/// Plays it; the replies from the one to DATA on, and what the door was given.
async fn play(way: Way, wire: &Wire, cuts: &[usize]) -> (Vec<String>, Vec<Recorded>) {
    let mut limits = limits();
    if way.lenient {
        limits.normalize_bare_lf = vec![Network::parse("192.0.2.0/24").unwrap()];
    }
    let (client, server) = tokio::io::duplex(64 * 1024);
    let door = Arc::new(Recorder::default());
    let (_stop, shutdown) = watch::channel(false);
    let service = Service {
        name: "gw.example".into(),
        limits,
        tls: way.tls.then(|| Made::shared().server()),
        door: Arc::clone(&door),
        clock: Arc::new(TokioClock::default()),
        shutdown,
    };
    let peer = "192.0.2.1".parse().unwrap();
    let serving = tokio::spawn(async move {
        match way.tls {
            true => ingress::attend_tls(&service, server, peer).await,
            false => ingress::attend(&service, server, peer).await,
        }
    });
    let replies = match way.tls {
        true => {
            let connecting = Made::shared()
                .connector()
                .connect(certificates::name(), client);
            speak(connecting.await.unwrap(), way, wire, cuts).await
        }
        false => speak(client, way, wire, cuts).await,
    };
    serving.await.unwrap();
    let messages = door.all();
    (replies, messages)
}

async fn speak<IO>(io: IO, way: Way, wire: &Wire, cuts: &[usize]) -> Vec<String>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut client = BufReader::new(io);
    send(&mut client, wire.before.as_bytes()).await;
    let until = if way.chunks { "250 2.1.5" } else { "354 " };
    while !line(&mut client).await.starts_with(until) {}
    let mut begin = 0;
    for end in cuts.iter().copied().chain([wire.after.len()]) {
        send(&mut client, &wire.after[begin..end]).await;
        begin = end;
    }
    let mut replies = Vec::new();
    loop {
        match line(&mut client).await {
            line if line.is_empty() => return replies,
            line => replies.push(line.trim_end().to_owned()),
        }
    }
}

/// Sends a packet, and lets the server read it before there is another.
async fn send<IO: AsyncRead + AsyncWrite + Unpin>(client: &mut BufReader<IO>, packet: &[u8]) {
    // A server that has closed is judged by its replies.
    let _ = client.get_mut().write_all(packet).await;
    let _ = client.get_mut().flush().await;
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

async fn line<IO: AsyncRead + Unpin>(client: &mut BufReader<IO>) -> String {
    let mut line = String::new();
    let _ = client.read_line(&mut line).await;
    line
}

/// One message that holds everything, or a refusal; then the second transaction is one of its own.
fn judge(replies: &[String], messages: &[Recorded], followed: bool) -> Result<(), String> {
    let (first, rest) = replies.split_first().ok_or("no reply")?;
    let expected: &[&str] = match followed {
        false => &["221 "],
        true => &["250 2.1.0", "250 2.1.5", "354 ", "250 2.0.0", "221 "],
    };
    let expected = expected
        .iter()
        .filter(|code| **code != "354 " || rest.len() == 5);
    let as_expected = rest
        .iter()
        .zip(expected.clone())
        .all(|(reply, code)| reply.starts_with(code));
    if !as_expected || rest.len() != expected.count() {
        return Err(format!("replies {replies:?}"));
    }
    let seconds = usize::from(followed);
    let firsts = match first.as_str() {
        _ if first.starts_with("250 2.0.0 Ok: queued as ") => 1,
        _ if first.starts_with("550 5.6.0 ") => 0,
        _ => return Err(format!("the first is answered {first:?}")),
    };
    if messages.len() != firsts + seconds {
        return Err(format!("{} messages: {messages:?}", messages.len()));
    }
    for message in messages {
        if message.from != "a@customer.example" || message.to != ["0312345678@fax.example"] {
            return Err(format!("an envelope that nobody gave: {message:?}"));
        }
    }
    if let Some(first) = messages.first().filter(|_| firsts == 1) {
        let raw = String::from_utf8_lossy(&first.raw);
        let smuggled = SMUGGLED.replace("\r\n", "");
        let flat: String = raw.split(['\r', '\n', '\0']).collect();
        if !raw.starts_with(FIRST) || !flat.ends_with(&smuggled) {
            return Err(format!("the content is {raw:?}"));
        }
    }
    match messages.last().filter(|_| followed) {
        Some(second) if second.raw != SECOND.as_bytes() => Err(format!("the second is {second:?}")),
        _ => Ok(()),
    }
}

fn failures(way: Way) -> (usize, Vec<String>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    let (mut played, mut failures) = (0, Vec::new());
    for no_end in NO_ENDS {
        for followed in [false, true] {
            let wire = wire(way, no_end, followed);
            for cuts in cuts(&wire) {
                let (replies, messages) = runtime.block_on(play(way, &wire, &cuts));
                played += 1;
                if let Err(failure) = judge(&replies, &messages, followed) {
                    failures.push(format!(
                        "{no_end:?} {way:?} {followed} {cuts:.3?}: {failure}"
                    ));
                }
            }
        }
    }
    (played, failures)
}

#[test]
fn nothing_but_crlf_dot_crlf_ends_a_message() {
    let mut all = Vec::new();
    for (tls, lenient) in [(false, false), (false, true), (true, false), (true, true)] {
        let way = Way {
            tls,
            chunks: false,
            lenient,
        };
        let (played, failed) = failures(way);
        assert!(played >= 300, "{played}");
        all.extend(failed);
    }
    assert!(
        all.is_empty(),
        "{} failures, such as\n{}",
        all.len(),
        all[..all.len().min(9)].join("\n")
    );
}

#[test]
fn nothing_ends_a_chunk_but_its_length() {
    let mut all = Vec::new();
    for (tls, lenient) in [(false, false), (false, true), (true, false)] {
        let way = Way {
            tls,
            chunks: true,
            lenient,
        };
        all.extend(failures(way).1);
    }
    assert!(
        all.is_empty(),
        "{} failures, such as\n{}",
        all.len(),
        all[..all.len().min(9)].join("\n")
    );
}

#[test]
fn the_real_end_is_seen_so_that_these_stories_can_fail() {
    let way = Way {
        tls: false,
        chunks: false,
        lenient: false,
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    let wire = wire(way, "\r\n.\r\n", false);
    for cuts in cuts(&wire) {
        let (replies, messages) = runtime.block_on(play(way, &wire, &cuts));
        assert_eq!(messages.len(), 2);
        assert!(judge(&replies, &messages, false).is_err());
    }
}
