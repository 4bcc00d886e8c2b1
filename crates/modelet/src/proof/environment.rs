//! The Python in which an original answers: the user's own, or one with pinned packages that `uv` makes once and that is kept in
//! the cache folder under the hash of its pins.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use modelet_core::certificate::Library;
use modelet_core::digest;
use modelet_package::certificate::original::{Loader, Original};
use modelet_package::certificate::pins::{Pins, pins};
use sha2::{Digest, Sha256};

use crate::cli::proof::ProofOptions;
use crate::launch::cache_folder;
use crate::output::Progress;
use crate::python::interpreter::Interpreter;
use crate::python::uv::{INSTALL_LIMIT, Uv};

/// Says to `uv` itself which wheels of PyTorch to take.
const ENV_TORCH_BACKEND: &str = "UV_TORCH_BACKEND";
/// What `uv` says when it reached an index, and PyTorch's version is not in it.
const NO_VERSION: &str = "there is no version of torch";
/// Where environments are kept, in the cache folder.
const FOLDER: &str = "proofs";
/// In an environment: the Python that it was made for.
const PYTHON_FILE: &str = "python.txt";

/// A Python with the packages of an original.
#[derive(Debug)]
pub struct Python {
    /// The interpreter.
    pub interpreter: Interpreter,
    /// Folders with packages, before its own.
    pub packages: Vec<PathBuf>,
    /// What was installed in them, where we chose it.
    pinned: Vec<String>,
}

impl Python {
    fn of(interpreter: Interpreter) -> Self {
        Self { packages: interpreter.paths.clone(), interpreter, pinned: vec![] }
    }

    /// A package that it has, by what was installed: nothing that runs in it is asked.
    pub fn library(&self, name: &str) -> Option<Library> {
        let pinned = self.pinned.iter().filter_map(|pin| pin.split_once("=="));
        let pinned = pinned.map(|(name, version)| Library { name: name.into(), version: version.into() });
        pinned.chain(self.interpreter.libraries.iter().cloned()).find(|library| library.name == name)
    }
}

/// Finds the Python for an original, or makes it. The error is the reason why there is none.
pub async fn find(
    original: &Original,
    options: &ProofOptions,
    progress: &Progress,
) -> Result<Python, String> {
    if let Some(path) = &options.python {
        let interpreter = Interpreter::ask(&named(path)).await?;
        return match original.mismatch(&interpreter.libraries) {
            None => Ok(Python::of(interpreter)),
            Some(why) => Err(format!("the Python of --python does not do: {why}")),
        };
    }
    if let Some(active) = active().await.filter(|active| fits(original, &active.libraries)) {
        return Ok(Python::of(active));
    }
    let pins = pins(original)?;
    let what = pins.packages.first().cloned().unwrap_or_default().replace("==", " ");
    let uv = Uv::find_here();
    let uv = uv.ok_or_else(|| format!("there is neither uv nor a Python with {what} to ask the original"))?;
    made(&uv, &pins, &what, progress).await
}

/// The path as the user means it: a program, or the folder of a virtual environment.
fn named(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("bin/python") } else { path.to_owned() }
}

/// The active virtual environment.
async fn active() -> Option<Interpreter> {
    let folder = PathBuf::from(env::var_os("VIRTUAL_ENV")?);
    Interpreter::ask(&named(&folder)).await.ok()
}

/// True when the file says a version and it is this one: of a file that says none, the active environment may be any. TorchScript
/// never says one, and is read by any.
fn fits(original: &Original, libraries: &[Library]) -> bool {
    let says_enough = original.version.is_some() || original.loader == Loader::Torchscript;
    says_enough && original.mismatch(libraries).is_none()
}

/// The environment of some pins, made when it is not there yet. All of it or nothing: whoever comes second takes the first one's.
async fn made(uv: &Uv, pins: &Pins, what: &str, progress: &Progress) -> Result<Python, String> {
    let cache = cache_folder().ok_or("there is no cache folder: HOME is not set")?.join(FOLDER);
    let listed =
        [pins.packages.join("\n"), pins.pythons.join("\n"), env::consts::ARCH.to_owned()].join("\n\n");
    let place = cache.join(&digest::hex(&Sha256::digest(listed))[..16]);
    if let Some(python) = kept(&place, pins).await {
        return Ok(python);
    }
    progress.next(format!("making an environment with {what}, once (uv)"));
    let interpreter = Interpreter::ask(&python(uv, pins).await?).await?;
    let failed =
        |error: std::io::Error| format!("could not make the environment in {}: {error}", cache.display());
    fs::create_dir_all(&cache).map_err(failed)?;
    let work = tempfile::tempdir_in(&cache).map_err(failed)?;
    let draft = work.path().join("packages");
    install(uv, &interpreter.program, &draft, pins).await?;
    fs::write(draft.join(PYTHON_FILE), interpreter.program.as_os_str().as_encoded_bytes()).map_err(failed)?;
    if let Some(python) = kept(&place, pins).await {
        // Somebody else was faster.
        return Ok(python);
    }
    if place.exists() {
        // Its Python is gone.
        fs::rename(&place, work.path().join("old")).map_err(failed)?;
    }
    match (fs::rename(&draft, &place), kept(&place, pins).await) {
        (_, Some(python)) => Ok(python),
        (moved, None) => Err(moved.err().map_or_else(|| format!("{} is not whole", place.display()), failed)),
    }
}

/// The environment that was made before, when its Python is still there.
async fn kept(place: &Path, pins: &Pins) -> Option<Python> {
    let python = fs::read_to_string(place.join(PYTHON_FILE)).ok()?;
    let interpreter = Interpreter::ask(Path::new(python.trim())).await.ok()?;
    Some(Python { interpreter, packages: vec![place.to_owned()], pinned: pins.packages.clone() })
}

/// A Python of this machine, or else one that `uv` brings.
async fn python(uv: &Uv, pins: &Pins) -> Result<PathBuf, String> {
    for version in pins.pythons {
        if let Ok(found) = uv.find(version).await {
            return Ok(found);
        }
    }
    uv.bring(pins.pythons.first().copied().unwrap_or_default()).await
}

async fn install(uv: &Uv, python: &Path, target: &Path, pins: &Pins) -> Result<(), String> {
    let words = ["pip", "install", "--quiet", "--only-binary", ":all:", "--compile-bytecode", "--python"];
    let mut args: Vec<OsString> = words.map(Into::into).into();
    args.extend([python.into(), "--target".into(), target.into()]);
    args.extend(pins.packages.iter().map(OsString::from));
    let with = |more: &[&str]| [&args[..], &more.iter().map(OsString::from).collect::<Vec<_>>()].concat();
    if !pins.is_resolved {
        return uv.run(with(&["--no-deps"]), INSTALL_LIMIT).await.map(drop);
    }
    // Wheels without what graphics cards need lie in an index of their own, which not every machine reaches.
    let is_chosen = env::var_os(ENV_TORCH_BACKEND).is_some();
    if !is_chosen {
        match uv.run(with(&["--torch-backend", "cpu"]), INSTALL_LIMIT).await {
            Err(why) if why.contains(NO_VERSION) => {}
            Err(why) => return Err(format!("{why} ({ENV_TORCH_BACKEND} names other wheels of PyTorch)")),
            Ok(_) => return Ok(()),
        }
    }
    uv.run(args, INSTALL_LIMIT).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// What becomes of an installation of PyTorch, and how often `uv` was asked, when for the CPU's wheels it says so and ends
    /// with an error; others it has.
    async fn installed(said: &str) -> (Result<(), String>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let (program, asked) = (folder.path().join("uv"), folder.path().join("asked"));
        let script = format!(
            "#!/bin/sh\necho \"$@\" >> {}\ncase \"$*\" in *--torch-backend*) printf '{said}' >&2; exit 1;; esac\n",
            asked.display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let pins = Pins { pythons: &["3.11"], packages: vec!["torch==2.15.0".to_owned()], is_resolved: true };
        let done = install(&Uv { program }, Path::new("python"), folder.path(), &pins).await;
        (done, fs::read_to_string(asked).unwrap().lines().count())
    }

    #[tokio::test]
    async fn wheels_for_graphics_cards_are_taken_only_where_the_others_do_not_exist() {
        let none = "error: No solution found\\n  cause: Because there is no version of\\n torch==2.15.0 and you require it";
        assert_eq!(installed(none).await, (Ok(()), 2));
        let (failed, asked) = installed("error: Request failed after 3 retries").await;
        let why = failed.unwrap_err();
        assert!(asked == 1 && why.contains("Request failed after 3 retries"), "{why}");
        assert!(why.contains(ENV_TORCH_BACKEND), "{why}");
    }
}
