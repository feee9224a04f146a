use std::collections::VecDeque;
use std::sync::Arc;

use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::BufReader;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

use super::*;

/// What the sink says, by the command it says it to.
#[derive(Clone, Default)]
struct Script {
    /// Sent at once; empty keeps silent.
    greeting: &'static str,
    /// Extensions, each a line of the reply to EHLO.
    offers: &'static [&'static str],
    /// Replies to commands that begin with the first text, used once each, in order.
    replies: Vec<(&'static str, &'static str)>,
}

/// A server that plays one script for each connection and records what it was told.
struct Sink {
    port: u16,
    told: Arc<Mutex<Vec<String>>>,
}

impl Sink {
    async fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&told);
        tokio::spawn(async move {
            for script in scripts {
                let (stream, _) = listener.accept().await.unwrap();
                recorded.lock().unwrap().push("(connected)".to_owned());
                tokio::spawn(play(stream, script, Arc::clone(&recorded)));
            }
        });
        Self { port, told }
    }

    fn courier(&self) -> Courier {
        let smarthost = Smarthost {
            host: "127.0.0.1".into(),
            port: self.port,
        };
        Courier::new(&smarthost, "fax.example")
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

async fn play(stream: TcpStream, script: Script, told: Arc<Mutex<Vec<String>>>) {
    let mut stream = BufReader::new(stream);
    if script.greeting.is_empty() {
        // Holds the connection open, and says nothing until the peer leaves.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        return;
    }
    stream.write_all(script.greeting.as_bytes()).await.unwrap();
    let mut replies: VecDeque<_> = script.replies.into();
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        told.lock().unwrap().push(line.trim_end().to_owned());
        let scripted = replies.front().filter(|(begin, _)| line.starts_with(begin));
        let reply = match scripted {
            Some((_, "")) => return,
            Some((_, reply)) => (*reply).to_owned(),
            None if line.starts_with("EHLO") => ehlo(script.offers),
            None if line.starts_with("DATA") => "354 go on\r\n".to_owned(),
            None => "250 2.0.0 ok\r\n".to_owned(),
        };
        if scripted.is_some() {
            replies.pop_front();
        }
        stream.write_all(reply.as_bytes()).await.unwrap();
        if line.starts_with("DATA") && reply.starts_with('3') {
            let content = content(&mut stream).await;
            told.lock().unwrap().push(content);
            let end = replies.front().filter(|(begin, _)| *begin == ".");
            let reply = end.map_or("250 2.0.0 taken\r\n", |(_, reply)| *reply);
            if reply.is_empty() {
                return;
            }
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    }
}

fn ehlo(offers: &[&str]) -> String {
    let mut lines: Vec<&str> = vec!["sink.example"];
    lines.extend(offers);
    let last = lines.len() - 1;
    let form = |(i, line)| format!("250{}{line}\r\n", if i == last { ' ' } else { '-' });
    lines.into_iter().enumerate().map(form).collect()
}

async fn content(stream: &mut BufReader<TcpStream>) -> String {
    let mut content = Vec::new();
    while !content.ends_with(b"\r\n.\r\n") {
        if stream.read_until(b'\n', &mut content).await.unwrap_or(0) == 0 {
            break;
        }
    }
    String::from_utf8(content).unwrap()
}

fn open() -> Script {
    Script {
        greeting: "220 sink.example\r\n",
        ..Script::default()
    }
}

fn scripted(replies: &[(&'static str, &'static str)]) -> Script {
    Script {
        replies: replies.to_vec(),
        ..open()
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

const MESSAGE: &[u8] = b"Subject: x\r\n\r\n.dot\r\n";

#[tokio::test]
async fn mails_leave_with_a_null_reverse_path_over_one_connection() {
    let sink = Sink::start(vec![open()]).await;
    let courier = sink.courier();
    for to in ["a@c.example", "b@c.example"] {
        courier.deliver(&address(to), MESSAGE).await.unwrap();
    }
    let content = "Subject: x\r\n\r\n..dot\r\n.\r\n";
    assert_eq!(
        sink.told(),
        [
            "(connected)",
            "EHLO fax.example",
            "MAIL FROM:<>",
            "RCPT TO:<a@c.example>",
            "DATA",
            content,
            "MAIL FROM:<>",
            "RCPT TO:<b@c.example>",
            "DATA",
            content,
        ]
    );
}

#[tokio::test]
async fn replies_of_4xx_are_temporary_and_of_5xx_permanent() {
    for (step, reply, permanent) in [
        ("MAIL", "451 4.3.0 later\r\n", false),
        ("RCPT", "450 4.2.1 later\r\n", false),
        ("RCPT", "550 5.1.1 nobody\r\n", true),
        ("DATA", "554 5.7.1 no\r\n", true),
        (".", "452 4.3.1 full\r\n", false),
        (".", "552 5.3.4 too big\r\n", true),
    ] {
        let sink = Sink::start(vec![scripted(&[(step, reply)])]).await;
        let courier = sink.courier();
        let result = courier.deliver(&address("a@c.example"), MESSAGE).await;
        let (code, text) = (reply[..3].parse().ok(), reply[4..].trim_end().to_owned());
        let expected = if permanent {
            DeliveryError::Permanent { code, text }
        } else {
            DeliveryError::Temporary { code, text }
        };
        assert_eq!(result, Err(expected), "{step}");
    }
}

#[tokio::test]
async fn a_refused_mail_spoils_neither_the_connection_nor_the_next_mail() {
    let sink = Sink::start(vec![scripted(&[("RCPT", "550 5.1.1 nobody\r\n")])]).await;
    let courier = sink.courier();
    courier
        .deliver(&address("a@c.example"), MESSAGE)
        .await
        .unwrap_err();
    courier
        .deliver(&address("b@c.example"), MESSAGE)
        .await
        .unwrap();
    let told = sink.told();
    assert_eq!(told.iter().filter(|line| *line == "(connected)").count(), 1);
    assert_eq!(told[4], "RSET");
}

#[tokio::test]
async fn a_kept_connection_that_died_is_replaced_at_once() {
    for farewell in ["421 4.4.2 idle\r\n", ""] {
        // The second MAIL of the first connection gets the farewell, or its end.
        let first = scripted(&[("MAIL", "250 ok\r\n"), ("MAIL", farewell)]);
        let sink = Sink::start(vec![first, open()]).await;
        let courier = sink.courier();
        for to in ["a@c.example", "b@c.example"] {
            courier.deliver(&address(to), MESSAGE).await.unwrap();
        }
        let told = sink.told();
        assert_eq!(told.iter().filter(|line| *line == "(connected)").count(), 2);
        assert_eq!(told.iter().filter(|line| *line == "DATA").count(), 2);
    }
}

#[tokio::test]
async fn a_connection_lost_in_the_content_is_temporary_and_not_repeated() {
    let sink = Sink::start(vec![scripted(&[(".", "")]), open()]).await;
    let courier = sink.courier();
    let result = courier.deliver(&address("a@c.example"), MESSAGE).await;
    assert!(matches!(
        result,
        Err(DeliveryError::Temporary { code: None, .. })
    ));
    let told = sink.told();
    assert_eq!(told.iter().filter(|line| *line == "(connected)").count(), 1);
    courier
        .deliver(&address("a@c.example"), MESSAGE)
        .await
        .unwrap();
}

#[tokio::test]
async fn no_server_and_a_closed_door_are_temporary() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let told = Arc::default();
    let away = Sink { port, told };
    let closed = Sink::start(vec![Script {
        greeting: "554 5.3.2 no service here\r\n",
        ..Script::default()
    }])
    .await;
    for (sink, code) in [(away, None), (closed, Some(554))] {
        let result = sink
            .courier()
            .deliver(&address("a@c.example"), MESSAGE)
            .await;
        match result {
            Err(DeliveryError::Temporary { code: found, .. }) => assert_eq!(found, code),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_never_greets_does_not_hang_the_queue() {
    let sink = Sink::start(vec![Script::default()]).await;
    let courier = sink.courier();
    let task = tokio::spawn(async move { courier.deliver(&address("a@c.example"), MESSAGE).await });
    while sink.told().is_empty() {
        tokio::task::yield_now().await;
    }
    // From here on time passes by itself whenever there is nothing to do.
    tokio::time::pause();
    let begun = Instant::now();
    let result = task.await.unwrap();
    assert!(begun.elapsed() <= Duration::from_secs(5 * 60 + 1));
    match result {
        Err(DeliveryError::Temporary { code: None, text }) => {
            assert_eq!(text, "no answer in time (greeting)");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_address_that_breaks_the_rules_goes_as_its_carrier_issued_it() {
    let docomo = address("a..b.@docomo.ne.jp");
    let lenient = Sink::start(vec![open()]).await;
    lenient.courier().deliver(&docomo, MESSAGE).await.unwrap();
    assert_eq!(lenient.told()[3], "RCPT TO:<a..b.@docomo.ne.jp>");
    assert_eq!(lenient.told()[4], "DATA");
}

#[tokio::test]
async fn a_strict_server_gets_the_quoted_form_of_such_an_address() {
    let docomo = address("a..b.@docomo.ne.jp");
    for refusal in [
        "501 5.1.3 bad recipient address syntax\r\n",
        "550 5.1.3 invalid\r\n",
        "553 5.1.3 no\r\n",
    ] {
        let strict = Sink::start(vec![scripted(&[("RCPT", refusal)])]).await;
        strict.courier().deliver(&docomo, MESSAGE).await.unwrap();
        assert_eq!(strict.told()[4], "RCPT TO:<\"a..b.\"@docomo.ne.jp>");
    }
    let unknown = Sink::start(vec![scripted(&[("RCPT", "550 5.1.1 nobody\r\n")])]).await;
    let result = unknown.courier().deliver(&docomo, MESSAGE).await;
    assert!(matches!(result, Err(DeliveryError::Permanent { .. })));
    assert_eq!(
        unknown.told()[4],
        "RSET",
        "the mailbox, not the form, is refused"
    );
}

#[tokio::test]
async fn extensions_are_asked_for_when_needed_and_missed_when_not_offered() {
    let offering = Sink::start(vec![Script {
        offers: &["8BITMIME", "SMTPUTF8"],
        ..open()
    }])
    .await;
    let courier = offering.courier();
    let eight_bit = "Subject: x\r\n\r\né\r\n".as_bytes();
    let (plain, utf8) = (address("a@c.example"), address("田中@c.example"));
    courier.deliver(&plain, eight_bit).await.unwrap();
    courier.deliver(&utf8, MESSAGE).await.unwrap();
    let told = offering.told();
    assert_eq!(told[2], "MAIL FROM:<> BODY=8BITMIME");
    assert_eq!(told[6], "MAIL FROM:<> SMTPUTF8");

    let bare = Sink::start(vec![open()]).await;
    let courier = bare.courier();
    for (to, message) in [(&plain, eight_bit), (&utf8, MESSAGE)] {
        let result = courier.deliver(to, message).await;
        assert!(matches!(
            result,
            Err(DeliveryError::Permanent { code: None, .. })
        ));
    }
    courier.deliver(&plain, MESSAGE).await.unwrap();
}

#[tokio::test]
async fn a_bare_line_end_cannot_end_the_message() {
    let sink = Sink::start(vec![open()]).await;
    let message = b"Subject: x\r\n\r\na\n.\nMAIL FROM:<x@y>\r.\r\n";
    let courier = sink.courier();
    courier
        .deliver(&address("a@c.example"), message)
        .await
        .unwrap();
    let content = sink.told().pop().unwrap();
    assert_eq!(
        content,
        "Subject: x\r\n\r\na\r\n..\r\nMAIL FROM:<x@y>\r\n..\r\n.\r\n"
    );
}
