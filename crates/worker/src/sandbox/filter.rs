//! The system call filter (seccomp(2)): everything is allowed but what is listed here, since the libraries of models use
//! most of the rest. What is refused fails with EPERM, as for an ordinary user, so that libraries go on without it.

#![allow(unsafe_code)]

use std::io;

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, c_long, sock_filter,
};

/// What the filter depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Walls {
    /// May it reach the network?
    pub network: bool,
    /// May it make sockets for a network of its own, in which there is nobody else?
    pub loopback: bool,
    /// Is it alone in its process and network namespaces? If not, the filter keeps it from others' processes and sockets, and
    /// its children in the group that is killed with it. Then its process id is needed.
    pub namespaces: bool,
    /// Its process id, as it sees it.
    pub process: u32,
}

/// Ways to other processes, to the kernel's insides, to other namespaces and to other file systems.
const REFUSED: &[c_long] = &[
    // other processes
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // namespaces and mounts
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    // the kernel
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_personality,
    libc::SYS_syslog,
    libc::SYS_lookup_dcookie,
    libc::SYS_vhangup,
    // the machine
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];

/// Those that only x86-64 has.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[c_long] = &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_uselib];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[c_long] = &[];

/// Ways out of a group, and to the limits and the priority of other processes of the same user: without namespaces only.
const REFUSED_WITHOUT_NAMESPACES: &[c_long] = &[
    libc::SYS_setsid,
    libc::SYS_setpgid,
    libc::SYS_tkill,
    libc::SYS_pidfd_send_signal,
    libc::SYS_setpriority,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_ioprio_set,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
];

/// Calls whose first argument is the process that gets a signal.
const SIGNALS: &[c_long] =
    &[libc::SYS_kill, libc::SYS_tgkill, libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo];

/// Calls whose first argument is the process that is changed: its limits, or the processors that it computes on, which math libraries
/// (MKL) change for a moment to learn what processors there are; they compute with one thread where they may not.
const CHANGES: &[c_long] = &[libc::SYS_prlimit64, libc::SYS_sched_setaffinity];

/// Every flag of clone(2) that makes a namespace.
const NAMESPACE_FLAGS: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();
const UNKNOWN: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();

/// Number of the architecture in linux/audit.h.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// Numbers from here on are of x32, a second set of the same calls.
const X32: u32 = 0x4000_0000;

/// Where `struct seccomp_data` has the call's number, its architecture and the lower half of an argument (little-endian).
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const fn argument_at(index: u32) -> u32 {
    16 + 8 * index
}

/// The program, one instruction after the other.
#[derive(Default)]
struct Program(Vec<sock_filter>);

impl Program {
    fn push(&mut self, code: u32, k: u32, jt: u8, jf: u8) {
        // Instruction codes have 16 bits.
        self.0.push(sock_filter { code: (code & 0xFFFF) as u16, jt, jf, k });
    }

    fn load(&mut self, at: u32) {
        self.push(BPF_LD | BPF_W | BPF_ABS, at, 0, 0);
    }

    fn answer(&mut self, verdict: u32) {
        self.push(BPF_RET | BPF_K, verdict, 0, 0);
    }

    /// When what was loaded is `value`, the verdict; else on.
    fn when(&mut self, value: u32, verdict: u32) {
        self.push(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
        self.answer(verdict);
    }

    /// When the call is this one, `inside` decides; it must end in an answer. Else on.
    fn call(&mut self, number: c_long, inside: impl FnOnce(&mut Self)) {
        let mut body = Self::default();
        inside(&mut body);
        let skip = u8::try_from(body.0.len()).unwrap_or(u8::MAX);
        self.push(BPF_JMP | BPF_JEQ | BPF_K, of(number), 0, skip);
        self.0.append(&mut body.0);
    }
}

/// A call's number as the kernel shows it to the filter.
fn of(number: c_long) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn program(walls: Walls) -> Vec<sock_filter> {
    let mut filter = Program::default();
    filter.load(ARCHITECTURE_AT);
    filter.push(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    filter.answer(libc::SECCOMP_RET_KILL_PROCESS);
    filter.load(NUMBER_AT);
    filter.push(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1);
    filter.answer(UNKNOWN);
    // Its flags are in memory, where a filter cannot look; the C library then takes the older call.
    filter.when(of(libc::SYS_clone3), UNKNOWN);
    for number in REFUSED.iter().chain(REFUSED_HERE) {
        filter.when(of(*number), REFUSE);
    }
    filter.call(libc::SYS_clone, |body| {
        body.load(argument_at(0));
        body.push(BPF_ALU | BPF_AND | BPF_K, NAMESPACE_FLAGS.cast_unsigned(), 0, 0);
        body.when(0, libc::SECCOMP_RET_ALLOW);
        body.answer(REFUSE);
    });
    filter.call(libc::SYS_socket, |body| {
        body.load(argument_at(0));
        for family in families(walls) {
            body.when(family.cast_unsigned(), libc::SECCOMP_RET_ALLOW);
        }
        body.answer(REFUSE);
    });
    if !walls.namespaces {
        keep_to_itself(&mut filter, walls.process);
    }
    filter.answer(libc::SECCOMP_RET_ALLOW);
    filter.0
}

/// The kinds of sockets that it may make. Without a namespace of its own, Unix sockets lead to the host.
fn families(walls: Walls) -> &'static [i32] {
    match (walls.network || walls.loopback, walls.namespaces) {
        (true, _) => &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6],
        (false, true) => &[libc::AF_UNIX],
        (false, false) => &[],
    }
}

/// What the process namespace does elsewhere.
fn keep_to_itself(filter: &mut Program, process: u32) {
    for number in REFUSED_WITHOUT_NAMESPACES {
        filter.when(of(*number), REFUSE);
    }
    for number in SIGNALS {
        filter.call(*number, |body| {
            body.load(argument_at(0));
            // To itself and to its group: by number, as 0, or as the number below zero.
            for whom in [process, 0, 0_u32.wrapping_sub(process)] {
                body.when(whom, libc::SECCOMP_RET_ALLOW);
            }
            body.answer(REFUSE);
        });
    }
    for number in CHANGES {
        filter.call(*number, |body| {
            body.load(argument_at(0));
            body.when(process, libc::SECCOMP_RET_ALLOW);
            body.when(0, libc::SECCOMP_RET_ALLOW);
            body.answer(REFUSE);
        });
    }
}

/// Holds this process, and all that come of it, to the filter. After `no_new_privs`.
pub(crate) fn install(walls: Walls) -> io::Result<()> {
    let mut filter = program(walls);
    let length = u16::try_from(filter.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its length lie in memory that lives across the call; the kernel checks and copies it.
    let done =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would: enough of BPF for what stands above.
    fn verdict(walls: Walls, architecture: u32, number: u32, argument: u32) -> u32 {
        let filter = program(walls);
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let step = filter[at];
            let code = u32::from(step.code);
            at += 1;
            if code == BPF_LD | BPF_W | BPF_ABS {
                accumulator = match step.k {
                    NUMBER_AT => number,
                    ARCHITECTURE_AT => architecture,
                    _ => argument,
                };
            } else if code == BPF_ALU | BPF_AND | BPF_K {
                accumulator &= step.k;
            } else if code == BPF_RET | BPF_K {
                return step.k;
            } else {
                let holds = if code == BPF_JMP | BPF_JEQ | BPF_K {
                    accumulator == step.k
                } else {
                    accumulator >= step.k
                };
                at += usize::from(if holds { step.jt } else { step.jf });
            }
        }
    }

    const ALONE: Walls = Walls { network: false, loopback: false, namespaces: true, process: 1 };
    const AMONG_OTHERS: Walls = Walls { network: false, loopback: false, namespaces: false, process: 77 };

    #[test]
    fn what_is_listed_is_refused_and_the_rest_is_not() {
        let of_call = |number: c_long, argument| verdict(ALONE, ARCHITECTURE, of(number), argument);
        for number in REFUSED.iter().chain(REFUSED_HERE) {
            assert_eq!(of_call(*number, 0), REFUSE, "{number}");
        }
        assert_eq!(of_call(libc::SYS_clone3, 0), UNKNOWN);
        for number in [libc::SYS_read, libc::SYS_futex, libc::SYS_execve, libc::SYS_mmap, libc::SYS_kill] {
            assert_eq!(of_call(number, 99), libc::SECCOMP_RET_ALLOW, "{number}");
        }
        assert_eq!(
            verdict(ALONE, 0x4000_0003, of(libc::SYS_read), 0),
            libc::SECCOMP_RET_KILL_PROCESS,
            "i386"
        );
        assert_eq!(verdict(ALONE, ARCHITECTURE, X32 | 101, 0), UNKNOWN, "ptrace of x32");
    }

    #[test]
    fn threads_are_made_and_namespaces_are_not() {
        let clone = |flags: i32| verdict(ALONE, ARCHITECTURE, of(libc::SYS_clone), flags.cast_unsigned());
        assert_eq!(clone(libc::CLONE_VM | libc::CLONE_THREAD | libc::SIGCHLD), libc::SECCOMP_RET_ALLOW);
        for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS | libc::SIGCHLD, libc::CLONE_NEWNET] {
            assert_eq!(clone(flag), REFUSE, "{flag:x}");
        }
    }

    #[test]
    fn sockets_are_of_the_allowed_families() {
        let allowed = |walls, family: i32| {
            verdict(walls, ARCHITECTURE, of(libc::SYS_socket), family.cast_unsigned())
                == libc::SECCOMP_RET_ALLOW
        };
        let networked = Walls { network: true, ..ALONE };
        for (family, alone, with_network, among_others) in [
            (libc::AF_UNIX, true, true, false),
            (libc::AF_INET, false, true, false),
            (libc::AF_INET6, false, true, false),
            (libc::AF_NETLINK, false, false, false),
            (libc::AF_PACKET, false, false, false),
            (libc::AF_VSOCK, false, false, false),
        ] {
            let found = [allowed(ALONE, family), allowed(networked, family), allowed(AMONG_OTHERS, family)];
            assert_eq!(found, [alone, with_network, among_others], "family {family}");
            let by_itself = Walls { loopback: true, ..ALONE };
            assert_eq!(allowed(by_itself, family), with_network, "family {family}");
        }
    }

    #[test]
    fn without_namespaces_it_can_signal_itself_only() {
        let kill = |whom: i32| verdict(AMONG_OTHERS, ARCHITECTURE, of(libc::SYS_kill), whom.cast_unsigned());
        for whom in [77, 0, -77] {
            assert_eq!(kill(whom), libc::SECCOMP_RET_ALLOW, "{whom}");
        }
        for whom in [1, 76, -1, -76] {
            assert_eq!(kill(whom), REFUSE, "{whom}");
        }
        assert_eq!(verdict(AMONG_OTHERS, ARCHITECTURE, of(libc::SYS_setsid), 0), REFUSE);
    }

    #[test]
    fn without_namespaces_it_can_change_itself_only() {
        for number in CHANGES {
            let change = |whom: u32| verdict(AMONG_OTHERS, ARCHITECTURE, of(*number), whom);
            assert_eq!([0, 77].map(change), [libc::SECCOMP_RET_ALLOW; 2]);
            assert_eq!([1, 76].map(change), [REFUSE; 2]);
        }
    }
}
