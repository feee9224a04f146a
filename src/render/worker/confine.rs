//! Shutting a worker in: what it does not need, the kernel denies from here on.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::UdpSocket;

use landlock::ABI;
use landlock::Access;
use landlock::AccessFs;
use landlock::AccessNet;
use landlock::CompatLevel;
use landlock::Compatible;
use landlock::Ruleset;
use landlock::RulesetAttr;
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

use super::frame::Budget;
use super::frame::Confinement;

type Failure = Box<dyn std::error::Error>;

/// Confines this process for good and tries out whether it holds.
///
/// Each measure is taken even if another fails; the parent decides whether what is missing matters.
pub(super) fn confine(budget: &Budget) -> Confinement {
    let mut missing = Vec::new();
    let mut note = |measure: &str, result: Result<(), Failure>| {
        if let Err(error) = result {
            missing.push(format!("{measure}: {error}"));
        }
    };
    note("limits", limit(budget));
    note("process", detach());
    note("landlock", no_files_no_network());
    note("seccomp", few_calls());
    note("trial", attempt_escape());
    Confinement { missing }
}

/// Budgets. The soft limit of processor time is the one that ends the process with SIGXCPU, which the
/// parent tells apart from being killed by somebody.
fn limit(budget: &Budget) -> Result<(), Failure> {
    let cpu = budget.cpu_seconds.max(1);
    rlimit::setrlimit(Resource::AS, budget.memory, budget.memory)?;
    rlimit::setrlimit(Resource::CPU, cpu, cpu.saturating_add(1))?;
    rlimit::setrlimit(Resource::FSIZE, 0, 0)?;
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

/// A ruleset without a single rule: no file, no port, no signal to others. Older kernels know less of
/// this; that files are closed is the part that must hold, the rest is denied by `few_calls` as well.
fn no_files_no_network() -> Result<(), Failure> {
    let abi = ABI::V6;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .restrict_self()?;
    match status.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err("not in this kernel".into()),
    }
}

/// Leaves the calls that computing, memory and the two pipes need; all others fail with EPERM.
fn few_calls() -> Result<(), Failure> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        CALLS.iter().map(|call| (*call, Vec::new())).collect();
    // New memory must not be executable.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![without_exec()?]);
    }
    let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, arch)?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter_all_threads(&program)?;
    Ok(())
}

/// The third argument of mmap and mprotect without PROT_EXEC.
fn without_exec() -> Result<SeccompRule, Failure> {
    let exec = u64::from(libc::PROT_EXEC.unsigned_abs());
    let op = SeccompCmpOp::MaskedEq(exec);
    let condition = SeccompCondition::new(2, SeccompCmpArgLen::Dword, op, 0)?;
    Ok(SeccompRule::new(vec![condition])?)
}

/// mmap and mprotect are added with a condition. No open, no socket, no exec, no new thread.
const CALLS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
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
    libc::SYS_tgkill,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Believes nothing that it has not tried: a file and a socket must be out of reach.
fn attempt_escape() -> Result<(), Failure> {
    if File::open("/").is_ok() || File::open("/proc/self/exe").is_ok() {
        return Err("a file could be opened".into());
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
    fn the_trial_notices_a_process_that_is_not_confined() {
        assert!(attempt_escape().is_err());
    }
}
