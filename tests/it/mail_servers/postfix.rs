//! Postfix, installed: a configuration and a queue of its own, never the system's.

use super::private::Place;
use super::private::Program;
use super::private::Server;
use crate::gateway::Gateway;

/// Relays everything to `gateway` as `tanaka`.
pub(crate) fn start(gateway: &Gateway, password: &str) -> Server {
    let place = Place::new();
    let next = format!("[127.0.0.1]:{}", gateway.smtp.port());
    place.file("secret", &format!("{next} tanaka:{password}\n"));
    place.file("etc/main.cf", &main_cf(&place, &next));
    place.file(
        "etc/master.cf",
        &MASTER.replace("PORT", &place.smtp.to_string()),
    );
    let program = Program {
        log: "log",
        deferral: "status=deferred (SASL authentication failed",
        secret: ("secret", "tanaka:*"),
        retry: "postqueue -c $folder/etc -f",
    };
    let script = "mkdir $folder/queue $folder/data && chown postfix $folder/data && chmod 600 $folder/secret\n\
                  postfix -c $folder/etc start-fg";
    place.start(program, script)
}

fn main_cf(place: &Place, next: &str) -> String {
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {queue}\n\
         data_directory = {data}\n\
         daemon_directory = /usr/lib/postfix/sbin\n\
         mail_owner = postfix\n\
         setgid_group = postdrop\n\
         maillog_file = {log}\n\
         maillog_file_prefixes = {folder}\n\
         myhostname = relay.example\n\
         inet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\n\
         mynetworks = 127.0.0.0/8\n\
         mydestination =\n\
         alias_maps =\n\
         relayhost = {next}\n\
         smtp_sasl_auth_enable = yes\n\
         smtp_sasl_password_maps = texthash:{secret}\n\
         smtp_sasl_security_options = noanonymous\n\
         smtp_tls_security_level = secure\n\
         smtp_tls_secure_cert_match = gw.example\n\
         smtp_tls_CAfile = {certificate}\n",
        queue = place.path("queue"),
        data = place.path("data"),
        log = place.path("log"),
        folder = place.path(""),
        secret = place.path("secret"),
        certificate = place.path("cert.pem"),
    )
}

/// A client process serves once: each reads the table of passwords at its start.
const MASTER: &str = "\
PORT      inet  n       -       n       -       -       smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp -o max_use=1
relay     unix  -       -       n       -       -       smtp -o max_use=1
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
";
