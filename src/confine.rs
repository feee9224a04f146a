//! Shutting a child process of ours in: what it does not need, the kernel denies from here on.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::UdpSocket;
use std::path::Path;

use landlock::ABI;
use landlock::Access;
use landlock::AccessFs;
use landlock::AccessNet;
use landlock::CompatLevel;
use landlock::Compatible;
use landlock::PathBeneath;
use landlock::PathFd;
use landlock::Ruleset;
use landlock::RulesetAttr;
use landlock::RulesetCreatedAttr;
use landlock::RulesetStatus;
use landlock::Scope;
use rlimit::Resource;
use rustix::process::DumpableBehavior;
use rustix::process::Signal;
use seccompiler::BpfProgram;
use seccompiler::SeccompAction;
use seccompiler::SeccompCmpArgLen;
use seccompiler::SeccompCmpOp;
use seccompiler::SeccompCondition;
use seccompiler::SeccompFilter;
use seccompiler::SeccompRule;
use serde::Deserialize;
use serde::Serialize;

type Failure = Box<dyn std::error::Error>;

/// What a process may use up, and what it may still do.
#[derive(Clone, Copy, Debug)]
pub struct Allowance<'a> {
    /// Address space in bytes.
    pub memory: u64,
    /// Processor time in seconds.
    pub cpu_seconds: u64,
    /// The longest file that it may write, in bytes.
    pub file_size: u64,
    /// The only folder whose files it may open, read and write, and make none; `None` is none at all.
    pub folder: Option<&'a Path>,
    /// Whether it may wait for its sockets, send and receive. It can open none in any case.
    pub sockets: bool,
}

/// What of the confinement is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// What is missing, for the log; empty if the process is fully confined.
    pub missing: Vec<String>,
}

/// Confines this process for good and tries out whether it holds.
///
/// Each measure is taken even if another fails; the parent decides whether what is missing matters.
pub fn confine(allowance: &Allowance<'_>) -> Confinement {
    let mut missing = Vec::new();
    let mut note = |measure: &str, result: Result<(), Failure>| {
        if let Err(error) = result {
            missing.push(format!("{measure}: {error}"));
        }
    };
    note("limits", limit(allowance));
    note("process", detach());
    note("landlock", few_files_no_network(allowance.folder));
    note("seccomp", few_calls(allowance));
    note("trial", attempt_escape());
    Confinement { missing }
}

/// Budgets. The soft limit of processor time is the one that ends the process with SIGXCPU, which the
/// parent tells apart from being killed by somebody.
fn limit(allowance: &Allowance<'_>) -> Result<(), Failure> {
    let cpu = allowance.cpu_seconds.max(1);
    rlimit::setrlimit(Resource::AS, allowance.memory, allowance.memory)?;
    rlimit::setrlimit(Resource::CPU, cpu, cpu.saturating_add(1))?;
    rlimit::setrlimit(Resource::FSIZE, allowance.file_size, allowance.file_size)?;
    rlimit::setrlimit(Resource::CORE, 0, 0)?;
    rlimit::setrlimit(Resource::NOFILE, 16, 16)?;
    Ok(())
}

/// Dies with the parent; nobody of the same user may look into its memory.
fn detach() -> Result<(), Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// A ruleset with at most one rule: no file outside of the folder, no port, no signal to others. Older kernels know less of
/// this; that files are closed is the part that must hold, the rest is denied by `few_calls` as well.
fn few_files_no_network(folder: Option<&Path>) -> Result<(), Failure> {
    let abi = ABI::V6;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?;
    if let Some(folder) = folder {
        let files = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
        rules = rules.add_rule(PathBeneath::new(PathFd::new(folder)?, files))?;
    }
    match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err("not in this kernel".into()),
    }
}

/// Leaves the calls that are allowed; all others fail with EPERM.
fn few_calls(allowance: &Allowance<'_>) -> Result<(), Failure> {
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(rules(allowance)?, denied, SeccompAction::Allow, arch)?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter_all_threads(&program)?;
    Ok(())
}

/// The calls that are allowed, and those of them that are allowed under a condition only.
fn rules(allowance: &Allowance<'_>) -> Result<BTreeMap<i64, Vec<SeccompRule>>, Failure> {
    let files = allowance.folder.map_or(&[][..], |_| FILES);
    let sockets = if allowance.sockets { SOCKETS } else { &[] };
    let calls = COMPUTING.iter().chain(files).chain(sockets);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        calls.map(|call| (*call, Vec::new())).collect();
    // New memory must not be executable.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![without_exec()?]);
    }
    // Signals to itself, as abort() sends one: other processes of this user are the gateway and other calls.
    let own = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, vec![only(0, own)?]);
    // No F_SETOWN and no F_SETSIG: with them the kernel signals others.
    let commands = FCNTL
        .iter()
        .map(|command| only(1, u64::from(command.unsigned_abs())));
    rules.insert(libc::SYS_fcntl, commands.collect::<Result<_, _>>()?);
    Ok(rules)
}

/// This argument has this value.
fn only(argument: u8, value: u64) -> Result<SeccompRule, Failure> {
    let length = SeccompCmpArgLen::Dword;
    let condition = SeccompCondition::new(argument, length, SeccompCmpOp::Eq, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}

/// The third argument of mmap and mprotect without PROT_EXEC.
fn without_exec() -> Result<SeccompRule, Failure> {
    let exec = u64::from(libc::PROT_EXEC.unsigned_abs());
    let op = SeccompCmpOp::MaskedEq(exec);
    let condition = SeccompCondition::new(2, SeccompCmpArgLen::Dword, op, 0)?;
    Ok(SeccompRule::new(vec![condition])?)
}

/// What computing, memory and what is open already need. mmap, mprotect, tgkill and fcntl are added with a condition. No open, no socket, no
/// exec, no new thread.
const COMPUTING: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
];

/// What fcntl may be asked for.
const FCNTL: &[i32] = &[
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_GETFL,
    libc::F_SETFD,
];

/// What files need; which ones is the folder's matter.
const FILES: &[i64] = &[
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_openat,
];

/// What sockets need that are open already.
const SOCKETS: &[i64] = &[libc::SYS_ppoll, libc::SYS_recvfrom, libc::SYS_sendto];

/// A name that is nobody's.
const NEW_FILE: &str = "escape";

/// Believes nothing that it has not tried: a file outside, a new file, a socket and signals to others must be out of reach.
fn attempt_escape() -> Result<(), Failure> {
    if File::open("/").is_ok() || File::open("/proc/self/exe").is_ok() {
        return Err("a file could be opened".into());
    }
    if File::create_new(NEW_FILE).is_ok() {
        let _ = std::fs::remove_file(NEW_FILE);
        return Err("a file could be made".into());
    }
    let input = std::io::stdin();
    let flags = rustix::fs::fcntl_getfl(&input)?;
    if rustix::fs::fcntl_setfl(&input, flags).is_ok() {
        return Err("a descriptor could be made to signal".into());
    }
    if UdpSocket::bind(("127.0.0.1", 0)).is_ok() {
        return Err("a socket could be opened".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_other_processes_is_allowed_under_a_condition_only() {
        let rules = rules(&Allowance {
            memory: 1,
            cpu_seconds: 1,
            file_size: 1,
            folder: Some(Path::new(".")),
            sockets: true,
        });
        let rules = rules.unwrap();
        for call in [
            libc::SYS_tgkill,
            libc::SYS_fcntl,
            libc::SYS_mmap,
            libc::SYS_mprotect,
        ] {
            // Without a rule a call is allowed whatever its arguments are.
            assert!(
                rules.get(&call).is_some_and(|rules| !rules.is_empty()),
                "{call}"
            );
        }
    }

    #[test]
    fn the_trial_notices_a_process_that_is_not_confined() {
        assert!(attempt_escape().is_err());
    }
}
