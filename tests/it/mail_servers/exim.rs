//! Exim, unpacked.

use super::private::Place;
use super::private::Program;
use super::private::Server;
use super::private::foreign;
use crate::gateway::Gateway;

/// Relays everything to `gateway` as `tanaka`, with the clients' mechanisms that Debian's configuration has.
pub(crate) fn start(gateway: &Gateway, password: &str) -> Server {
    let place = Place::new();
    place.users(&["Debian-exim"]);
    let exim = foreign("exim4/usr/sbin/exim4");
    let text = CONFIGURATION
        .replace("EXIM", exim.to_str().unwrap())
        .replace("FOLDER/", &place.path(""))
        .replace("LISTEN", &place.smtp.port().to_string())
        .replace("NEXT", &gateway.smtp.port().to_string())
        .replace("PASSWORD", password);
    place.file("exim.conf", &text);
    place.file(
        "exim",
        &format!("{} -C \"$folder/exim.conf\" \"$@\"\n", exim.display()),
    );
    let program = Program {
        log: "logs/mainlog",
        deferral: "== 0312345678@fax.example R=gateway T=gateway defer",
        secret: ("exim.conf", "tanaka^*"),
        retry: "sh $folder/exim -qff",
    };
    let script = "mount --bind $folder/passwd /etc/passwd && mount --bind $folder/group /etc/group\n\
                  mkdir $folder/spool $folder/logs && chown Debian-exim: $folder/spool $folder/logs\n\
                  chmod go-w $folder/exim.conf\n\
                  sh $folder/exim -bdf";
    place.start(program, script)
}

const CONFIGURATION: &str = "\
exim_path = EXIM
spool_directory = FOLDER/spool
log_file_path = FOLDER/logs/%slog
pid_file_path = FOLDER/spool/pid
daemon_smtp_ports = LISTEN
local_interfaces = 127.0.0.1
primary_hostname = relay.example
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
keep_environment =
acl_smtp_rcpt = accept_all

begin acl
accept_all:
  accept

begin routers
gateway:
  driver = manualroute
  transport = gateway
  route_list = * 127.0.0.1::NEXT byname
  self = send
  no_more

begin transports
gateway:
  driver = smtp
  hosts_require_auth = *
  hosts_require_tls = *
  tls_verify_certificates = FOLDER/cert.pem
  tls_verify_hosts = *

begin retry
* * F,1d,15m

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^tanaka^PASSWORD
login:
  driver = plaintext
  public_name = LOGIN
  client_send = : tanaka : PASSWORD
";
