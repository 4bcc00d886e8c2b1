//! The rungs of isolation that work on this machine, and which one an instance gets.

use modelet_core::manifest::Rung;
use serde::{Deserialize, Serialize};

/// One rung, tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RungState {
    /// Which.
    pub rung: Rung,
    /// Why it does not work; `None` when it does.
    pub missing: Option<String>,
}

/// All rungs, tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// From the strongest to the weakest.
    pub rungs: Vec<RungState>,
    /// The only one that is used, when the operator said so.
    pub forced: Option<Rung>,
}

impl Ladder {
    /// The rung for an instance that can do with no weaker one than `weakest`: the one that is forced, else the strongest that
    /// works. Without `weakest` anything will do but [`Rung::Filter`], which must be asked for. The error says what is missing.
    pub fn choose(&self, weakest: Option<Rung>) -> Result<Rung, String> {
        let enough = weakest.or(self.forced).unwrap_or(Rung::Landlock);
        let works = |state: &&RungState| {
            state.missing.is_none()
                && state.rung <= enough
                && self.forced.is_none_or(|forced| forced == state.rung)
        };
        self.rungs.iter().find(works).map(|state| state.rung).ok_or_else(|| self.refusal(enough))
    }

    /// The strongest that instances get when their function says nothing; `None` when they cannot be started.
    pub fn best(&self) -> Option<Rung> {
        self.choose(None).ok()
    }

    /// What does not work on the way up, in words: `1: why; 2: why`.
    pub fn missing(&self) -> String {
        let missing = self.rungs.iter().filter_map(|state| Some((state.rung, state.missing.as_ref()?)));
        missing.map(|(rung, why)| format!("{}: {why}", u8::from(rung))).collect::<Vec<_>>().join("; ")
    }

    fn refusal(&self, enough: Rung) -> String {
        if let Some(forced) = self.forced.filter(|forced| *forced > enough) {
            return format!(
                "isolation {} or better is needed, but the platform was started with --isolation {}",
                u8::from(enough),
                u8::from(forced)
            );
        }
        format!(
            "isolation {} or better is not to be had on this machine: {}",
            u8::from(enough),
            self.missing()
        )
    }
}

/// What to do so that a rung works; `None` when nothing can be said in general.
pub const fn remedy(rung: Rung) -> Option<&'static str> {
    match rung {
        Rung::NamespacesAndCgroups => Some(
            "run it as root, or as a service with a delegated group: systemd-run --user -p Delegate=yes modelet up",
        ),
        Rung::Namespaces => Some(
            "let ordinary users make user namespaces: sysctl user.max_user_namespaces, \
             kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns; in a container: --privileged",
        ),
        Rung::Landlock => Some("boot a kernel from 5.13 on with landlock in its lsm= list"),
        Rung::Filter => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder(works: &[u8], forced: Option<Rung>) -> Ladder {
        let state = |rung: Rung| RungState {
            rung,
            missing: (!works.contains(&u8::from(rung))).then(|| "no luck".to_owned()),
        };
        Ladder { rungs: Rung::ALL.map(state).into(), forced }
    }

    #[test]
    fn an_instance_gets_the_strongest_that_works_and_the_weakest_only_when_asked() {
        use Rung::{Filter, Landlock, Namespaces, NamespacesAndCgroups};
        for (works, forced, weakest, expected) in [
            (&[1, 2, 3, 4][..], None, None, Some(NamespacesAndCgroups)),
            (&[2, 4], None, None, Some(Namespaces)),
            (&[2, 4], None, Some(NamespacesAndCgroups), None),
            (&[3, 4], None, Some(Filter), Some(Landlock)),
            (&[4], None, None, None),
            (&[4], None, Some(Filter), Some(Filter)),
            (&[1, 2, 4], Some(Filter), None, Some(Filter)),
            (&[1, 2, 4], Some(Namespaces), Some(Namespaces), Some(Namespaces)),
            (&[1, 2, 4], Some(Namespaces), Some(NamespacesAndCgroups), None),
            (&[1, 2], Some(Filter), None, None),
        ] {
            let found = ladder(works, forced).choose(weakest);
            assert_eq!(found.clone().ok(), expected, "{works:?} {forced:?} {weakest:?}: {found:?}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_missing() {
        let why = ladder(&[2, 4], None).choose(Some(Rung::NamespacesAndCgroups)).unwrap_err();
        assert_eq!(why, "isolation 1 or better is not to be had on this machine: 1: no luck; 3: no luck");
        let why = ladder(&[1, 4], Some(Rung::Filter)).choose(Some(Rung::Namespaces)).unwrap_err();
        assert!(why.contains("started with --isolation 4"), "{why}");
    }
}
