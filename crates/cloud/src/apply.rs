//! The one place that carries plans out, and takes back what it did when a step fails.

use std::fmt;

use modelet_core::FunctionName;

use crate::error::{CloudError, Kind};
use crate::plan::{Plan, Step};

/// Who can do the actions of a target.
#[expect(async_fn_in_trait, reason = "one plan is carried out at a time, on one thread")]
pub trait Hand {
    /// What can be done.
    type Action;

    /// Does it. Done twice it comes to the same: whoever was killed in between does it again.
    async fn carry_out(&mut self, action: &Self::Action) -> Result<(), CloudError>;

    /// What takes it back, so that it is as it was before the plan.
    fn inverse(&self, action: &Self::Action) -> Inverse<Self::Action>;
}

/// What takes a step back.
#[derive(Debug, Clone, PartialEq)]
pub enum Inverse<A> {
    /// This action.
    Action(A),
    /// Nothing of its own: what was made before it goes, and it goes with that.
    Included,
    /// Nothing: it stays, for this reason.
    Stays(&'static str),
}

/// Why what takes away, and comes last, is not taken back.
pub const GONE: &str = "what is gone is not brought back";

impl<A> Inverse<A> {
    /// The same as an action of another kind.
    pub fn map<B>(self, as_action: impl FnOnce(A) -> B) -> Inverse<B> {
        match self {
            Self::Action(action) => Inverse::Action(as_action(action)),
            Self::Included => Inverse::Included,
            Self::Stays(why) => Inverse::Stays(why),
        }
    }
}

/// A plan that stopped in the middle.
#[derive(Debug, thiserror::Error)]
pub struct Failed {
    /// The step that failed.
    pub step: String,
    /// Why.
    pub error: Box<CloudError>,
    /// What was done before, and is taken back.
    pub undone: Vec<String>,
    /// What was done before and could not be taken back, each with why.
    pub kept: Vec<(String, String)>,
}

impl Failed {
    /// It failed before anything was done.
    pub fn not_begun(error: CloudError) -> Self {
        Self { step: "before the first step".into(), error: error.into(), undone: vec![], kept: vec![] }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.error)
    }
}

/// Refuses a plan of a function where there is another one `now`: somebody changed something since it was made, and asked about.
///
/// # Errors
/// When it is another, or none could be made.
pub fn is_still<A: PartialEq>(
    name: &FunctionName,
    plan: &Plan<A>,
    now: Result<Plan<A>, CloudError>,
) -> Result<(), Failed> {
    if now.map_err(Failed::not_begun)? == *plan {
        return Ok(());
    }
    let why = format!("what is there of {name} has changed since the plan was made");
    Err(Failed::not_begun(
        CloudError::new(Kind::Conflict, why).hint("begin again: there is another plan now"),
    ))
}

/// Carries a plan out, a step after the other. When one fails, what the others did is taken back, the last first.
///
/// # Errors
/// The step that failed, and what became of the others.
pub async fn carry_out<H: Hand>(
    plan: &Plan<H::Action>,
    hand: &mut H,
    tell: &mut dyn FnMut(&str),
) -> Result<(), Failed> {
    let mut done: Vec<&Step<H::Action>> = Vec::new();
    for step in &plan.steps {
        let line = line(step);
        tell(&line);
        if let Err(error) = hand.carry_out(&step.action).await {
            let (undone, kept) = match error.kind {
                Kind::Unfinished => (Vec::new(), all(&done, "what is not finished yet needs it")),
                _ => undo(&done, hand, tell).await,
            };
            return Err(Failed { step: line, error: error.into(), undone, kept });
        }
        done.push(step);
    }
    Ok(())
}

async fn undo<H: Hand>(
    done: &[&Step<H::Action>],
    hand: &mut H,
    tell: &mut dyn FnMut(&str),
) -> (Vec<String>, Vec<(String, String)>) {
    let (mut undone, mut kept) = (Vec::new(), Vec::new());
    for (at, step) in done.iter().enumerate().rev() {
        let line = line(step);
        let inverse = match hand.inverse(&step.action) {
            Inverse::Action(inverse) => inverse,
            Inverse::Included => continue,
            Inverse::Stays(why) => {
                kept.push((line, why.to_owned()));
                continue;
            }
        };
        tell(&format!("taking back: {line}"));
        match hand.carry_out(&inverse).await {
            Ok(()) => undone.push(line),
            Err(error) => {
                kept.push((line, error.to_string()));
                kept.extend(all(&done[..at], "what could not be taken back may need it"));
                break;
            }
        }
    }
    (undone, kept)
}

/// All of it stays, for one reason; the last first.
fn all<A>(done: &[&Step<A>], why: &str) -> Vec<(String, String)> {
    done.iter().rev().map(|step| (line(step), why.to_owned())).collect()
}

fn line<A>(step: &Step<A>) -> String {
    format!("{} {}", step.change.sign(), step.what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::plan::Change;

    /// Numbers are put on a list; a negative one takes its positive off it.
    struct List {
        there: Vec<i32>,
        refused: i32,
        how: Kind,
    }

    impl Hand for List {
        type Action = i32;

        async fn carry_out(&mut self, action: &i32) -> Result<(), CloudError> {
            if *action == self.refused {
                return Err(CloudError::new(self.how, "no"));
            }
            if *action < 0 {
                self.there.retain(|there| there != &-action);
            } else {
                self.there.push(*action);
            }
            Ok(())
        }

        fn inverse(&self, action: &i32) -> Inverse<i32> {
            match action {
                7 => Inverse::Stays("it is seven"),
                8 => Inverse::Included,
                other => Inverse::Action(-other),
            }
        }
    }

    fn plan(actions: &[i32]) -> Plan<i32> {
        let step = |action: &i32| Step {
            change: Change::Create,
            what: action.to_string(),
            why: String::new(),
            permissions: vec![],
            action: *action,
        };
        Plan { steps: actions.iter().map(step).collect(), notes: vec![], reads: vec![] }
    }

    fn run(list: &mut List, actions: &[i32]) -> Result<(), Failed> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(carry_out(&plan(actions), list, &mut |_| {}))
    }

    #[test]
    fn what_was_done_before_a_failure_is_taken_back_in_reverse() {
        let mut list = List { there: vec![], refused: 3, how: Kind::Denied };
        let failed = run(&mut list, &[1, 2, 3, 4]).unwrap_err();
        assert_eq!(list.there, Vec::<i32>::new());
        assert_eq!(failed.undone, ["+ 2", "+ 1"]);
        assert_eq!(failed.to_string(), "+ 3: no");
        run(&mut list, &[1, 2, 4]).unwrap();
        assert_eq!(list.there, [1, 2, 4]);
    }

    #[test]
    fn what_cannot_be_taken_back_is_said_and_the_rest_is_taken_back_all_the_same() {
        let mut list = List { there: vec![], refused: 3, how: Kind::Denied };
        let failed = run(&mut list, &[1, 7, 8, 3]).unwrap_err();
        assert_eq!((list.there.as_slice(), failed.undone.as_slice()), (&[7, 8][..], &["+ 1".to_owned()][..]));
        assert_eq!(failed.kept, [("+ 7".to_owned(), "it is seven".to_owned())]);
        list.refused = -2;
        let failed = run(&mut list, &[2, -2]).unwrap_err();
        assert_eq!(failed.kept, [("+ 2".to_owned(), "no".to_owned())]);
    }

    #[test]
    fn what_stays_needs_what_was_done_before_it() {
        let mut list = List { there: vec![], refused: -2, how: Kind::Denied };
        let failed = run(&mut list, &[1, 2, 3, -2]).unwrap_err();
        assert_eq!((list.there.as_slice(), failed.undone.as_slice()), (&[1, 2][..], &["+ 3".to_owned()][..]));
        assert!(failed.kept[1].0 == "+ 1" && failed.kept[1].1.contains("may need it"), "{failed:?}");
    }

    #[test]
    fn what_is_not_finished_takes_nothing_back() {
        let mut list = List { there: vec![], refused: 3, how: Kind::Unfinished };
        let failed = run(&mut list, &[1, 2, 3]).unwrap_err();
        assert_eq!((list.there.as_slice(), failed.undone.len(), failed.kept.len()), (&[1, 2][..], 0, 2));
    }
}
