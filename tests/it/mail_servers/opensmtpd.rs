//! OpenSMTPD, unpacked.

use super::private::Place;
use super::private::Program;
use super::private::Server;
use super::private::foreign;
use crate::gateway::Gateway;

/// Relays everything to `gateway` as `tanaka`.
pub(crate) fn start(gateway: &Gateway, password: &str) -> Server {
    let place = Place::new();
    place.users(&["opensmtpd", "opensmtpq"]);
    place.file("secrets", &format!("gateway tanaka:{password}\n"));
    let (to, listen) = (gateway.smtp.port(), place.smtp.port());
    let text = format!(
        "table secrets file:{}\n\
         listen on 127.0.0.1 port {listen} hostname relay.example\n\
         action \"gateway\" relay host smtp+tls://gateway@127.0.0.1:{to} auth <secrets> helo relay.example\n\
         match from any for any action \"gateway\"\n",
        place.path("secrets"),
    );
    place.file("smtpd.conf", &text);
    let sbin = foreign("opensmtpd/usr/sbin");
    let sbin = sbin.to_str().unwrap();
    place.file("sbin", sbin);
    let program = Program {
        log: "output",
        deferral: "result=\"TempFail\"",
        secret: ("secrets", "tanaka:*"),
        // A route that failed rests for some seconds.
        retry: "smtpctl=$folder/smtpctl\n\
                $smtpctl update table secrets\n\
                for route in $($smtpctl show routes | cut -d. -f1); do $smtpctl resume route $route; done\n\
                $smtpctl schedule all",
    };
    // Its folders and its certificate authorities stand at places that are compiled in.
    let script = "mount --bind $folder/passwd /etc/passwd && mount --bind $folder/group /etc/group\n\
                  mount --bind $folder/cert.pem /etc/ssl/certs/ca-certificates.crt\n\
                  sbin=$(cat $folder/sbin)\n\
                  for place in /run /var/lib /var/spool; do mount -t tmpfs none $place; done\n\
                  mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd && chmod 711 /var/spool/smtpd\n\
                  install -g opensmtpq -m 2755 $sbin/smtpctl $folder/smtpctl\n\
                  chgrp opensmtpd $folder/secrets && chmod 640 $folder/secrets\n\
                  $sbin/smtpd -dF -f $folder/smtpd.conf";
    place.start(program, script)
}
