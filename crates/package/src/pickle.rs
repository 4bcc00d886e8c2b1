//! What a Python model file says before anybody runs it. A pickle is a program; here it is only read.
//!
//! - [`container`]: what the file is, and the stream within it
//! - [`stream`], [`opcode`], [`text`]: bytes, opcodes, and how texts and numbers are spelled
//! - [`machine`], [`stack`], [`value`]: stack and memo, followed without calling anything
//! - [`wrapper`], [`dtype`]: joblib's arrays amid the pickle
//! - [`skops`]: the other format, a zip with JSON; [`npy`]: the arrays in it
//! - [`known`]: which imports are harmless
//! - [`objects`], [`mod@array`], [`layout`]: all that a file holds, as values, for importers
//! - [`findings`], [`summary`], [`inspection`]: what is told
//! - [`limits`]: how much of everything
//!
//! Deliberately absent: a judgement by what is *called* dangerous. What is not listed as known is reported, and so is
//! everything that cannot be told by reading; whoever runs a file that is all known must read it as its [`Kind`] says, since
//! the same bytes mean something else to another reader. Known names make no file harmless to a library's own parser: it runs
//! in a sandbox all the same.

use std::io;
use std::path::Path;

use modelet_core::{Code, FunctionError};

mod array;
mod container;
mod dtype;
mod findings;
mod inspection;
mod known;
mod layout;
mod limits;
mod machine;
mod npy;
mod objects;
mod opcode;
mod skops;
mod stack;
mod stream;
mod summary;
mod text;
mod value;
mod wrapper;

pub use array::Array;
pub use findings::{Import, Unresolved};
pub use inspection::{ClassName, Framework, Inspection, Kind, Step, package_of};
pub use objects::{Asked, Item, Pickled, read};
pub(crate) use summary::catboost_release;

use container::Container;
use limits::{Keep, MAX_PICKLES};
use machine::Machine;
use stream::{Damage, Stream};
use value::Value;

/// Endings that such files usually have.
pub const ENDINGS: &[&str] = &["pkl", "pickle", "joblib", "skops"];

/// Inspects a file, executing nothing. `Ok(None)`: not a Python model file. An error: one that cannot be read, with the reason.
pub fn inspect(path: &Path) -> Result<Option<Inspection>, FunctionError> {
    let container = Container::of(path).map_err(|error| unreadable(path, &error))?;
    match container {
        Container::Zip => skops::inspect(path).map_err(|why| {
            refused(format!("{} is damaged: {why}", path.display()))
                .hint("save the model again with skops.io.dump")
        }),
        Container::Unread(how) => match has_ending(path) {
            true => Err(refused(format!(
                "{} is compressed by {how}, which modelet does not read",
                path.display()
            ))
            .hint(format!("save it again: joblib.dump(model, {:?}, compress=0)", file_name(path)))),
            false => Ok(None),
        },
        _ => inspect_pickle(path, container),
    }
}

fn inspect_pickle(path: &Path, container: Container) -> Result<Option<Inspection>, FunctionError> {
    let mut machine = Machine::new(Keep::Heads);
    let read = container.read(path, |inner| {
        let mut stream = Stream::new(inner, Keep::Heads);
        let is_marked = stream.peek() == Ok(Some(0x80));
        (is_marked, read_all(&mut machine, &mut stream))
    });
    let ((is_marked, root), is_clean) = read.map_err(|error| unreadable(path, &error))?;
    if !is_clean {
        machine.findings.unresolved(0, "more bytes behind the compressed stream");
    }
    match root {
        Ok(root) => Ok(Some(summarize(machine, root, container))),
        // Without a mark it may be any text; what calls something is taken for a pickle nevertheless.
        Err(_) if !is_marked && !machine.findings.calls_anything() => Ok(None),
        Err(damage) => Err(damaged(path, &machine, &damage)),
    }
}

/// The class of what a plain pickle holds, where it says one.
pub(crate) fn class_in(mut pickle: &[u8]) -> Option<ClassName> {
    let mut machine = Machine::new(Keep::Heads);
    let root = machine.run(&mut Stream::new(&mut pickle, Keep::Heads)).ok()?;
    summary::class_of(&machine, root)
}

/// The first pickle of the stream; those behind it are looked into for their imports.
fn read_all(machine: &mut Machine, stream: &mut Stream) -> Result<Value, Damage> {
    let root = machine.run(stream)?;
    for _ in 0..MAX_PICKLES {
        if stream.is_at_end()? {
            return Ok(root);
        }
        machine.findings.unresolved(stream.offset(), "more bytes behind the end of the pickle");
        if machine.run(stream).is_err() {
            return Ok(root);
        }
    }
    Ok(root)
}

fn summarize(machine: Machine, root: Value, container: Container) -> Inspection {
    let protocol = machine.protocol;
    let compressed = container.compressed();
    let is_joblib = compressed.is_some() || machine.arrays > 0;
    let class = summary::class_of(&machine, root);
    let steps = summary::steps(&machine, root);
    let features = summary::features(&machine, root);
    let feature_names = summary::feature_names(&machine, root);
    let classes_shape = summary::classes_shape(&machine, root);
    let versions = summary::versions(&machine);
    let (imports, unresolved) = machine.findings.into_parts();
    Inspection {
        kind: if is_joblib { Kind::Joblib { protocol, compressed } } else { Kind::Pickle { protocol } },
        class,
        steps,
        features,
        feature_names,
        classes_shape,
        frameworks: summary::frameworks(&imports, &versions),
        imports,
        unresolved,
    }
}

fn damaged(path: &Path, machine: &Machine, damage: &Damage) -> FunctionError {
    let mut message = format!("{} is a damaged pickle: {damage}", path.display());
    let unknown = machine.findings.unknown();
    if !unknown.is_empty() {
        message.push_str(&format!("; before that it names {}", unknown.join(", ")));
    }
    refused(message).hint("save the model again with joblib.dump")
}

fn unreadable(path: &Path, error: &io::Error) -> FunctionError {
    refused(format!("could not read {}: {error}", path.display())).hint("check the path")
}

fn refused(message: String) -> FunctionError {
    FunctionError::new(Code::ModelRefused, message)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn has_ending(path: &Path) -> bool {
    ENDINGS.iter().any(|ending| path.extension().is_some_and(|found| found == *ending))
}
