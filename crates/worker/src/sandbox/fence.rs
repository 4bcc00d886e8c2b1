//! Landlock: what a process may reach, where there are no namespaces to hide the rest. What the kernel knows of it differs by
//! version and is asked at run time; rung 3 needs at least the rules for files.

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use super::order::Order;
use super::root;
use super::status::{Doing, Step};

/// The newest version of landlock whose rules are asked for; older kernels hold to those that they know.
const NEWEST: ABI = ABI::V6;

/// Lets the instance reach what rung 1 would show it, and nothing else. The program may be anywhere.
pub(crate) fn enclose(order: &Order, program: &Path) -> Step<()> {
    let status = enclosed(order, program).map_err(io::Error::other).doing("enclose it with landlock")?;
    if status == RulesetStatus::NotEnforced {
        let missing = io::Error::other("this kernel does not have it, or has it switched off");
        return Err(missing).doing("enclose it with landlock");
    }
    Ok(())
}

fn enclosed(order: &Order, program: &Path) -> Result<RulesetStatus, RulesetError> {
    let network = order.sandbox.network;
    let read = AccessFs::from_read(NEWEST);
    let mut rules = ruleset(network)?;
    let system = root::SYSTEM.iter().chain(root::LIBRARY).map(PathBuf::from);
    let names = if network { root::NETWORK } else { &[] }.iter().map(PathBuf::from);
    let given = order.sandbox.binds.iter().map(|bind| bind.source.clone());
    // /proc: other processes' secrets in it are behind ptrace rights, which landlock takes away too.
    let own = [program.to_owned(), "/proc".into()];
    for path in system.chain(names).chain(given).chain(own) {
        rules = allow(rules, &path, read)?;
    }
    for device in root::DEVICES {
        rules = allow(rules, Path::new(device), AccessFs::ReadFile | AccessFs::WriteFile)?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

fn ruleset(network: bool) -> Result<RulesetCreated, RulesetError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?;
    if !network {
        rules = rules.handle_access(AccessNet::from_all(NEWEST))?;
    }
    rules.create()
}

/// A rule for what is there; nothing for what is not.
fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Ok(fd) = PathFd::new(path) else { return Ok(rules) };
    // What only a folder can grant is no rule for a file.
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
    rules.add_rule(PathBeneath::new(fd, access))
}

/// With the host's network an instance could reach the host's abstract sockets too: from version 6 on, landlock keeps it from
/// them. Where it is not there, nothing happens.
pub(crate) fn keep_from_abstract_sockets() -> io::Result<()> {
    let rules =
        Ruleset::default().set_compatibility(CompatLevel::BestEffort).scope(Scope::AbstractUnixSocket);
    let restricted = rules.and_then(Ruleset::create).and_then(RulesetCreated::restrict_self);
    restricted.map(drop).map_err(io::Error::other)
}
