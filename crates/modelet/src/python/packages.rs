//! The packages of some code: resolved and installed by `uv`, once for what is asked for, and packed as a layer.
//!
//! What was resolved is kept with it, so that the same requirements give the same versions on this machine, deploy for deploy. Files of
//! packages are shared with other environments of `uv`'s: packages that somebody has changed since are installed anew.

use std::env::consts::ARCH;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use modelet_core::handler::Layer;
use modelet_core::{Code, FunctionError, digest};
use modelet_package::code::requirements::{Form, Requirements};
use modelet_package::layer;
use sha2::{Digest, Sha256};

use super::interpreter::Interpreter;
use super::reproducible;
use super::uv::{INSTALL_LIMIT, Uv};
use crate::launch::cache_folder;
use crate::output::Progress;

/// Where layers are kept, in the cache folder.
const FOLDER: &str = "layers";
/// In a layer's place: the packages …
const PACKAGES: &str = "packages";
/// … the resolved requirements …
const LOCK: &str = "requirements.lock";
/// … and what there is to say of them.
const CARD: &str = "layer.json";
/// Before a folder with wheels, in a resolved file.
const FIND_LINKS: &str = "--find-links ";
/// Resolving may take this long.
const RESOLVE_LIMIT: Duration = Duration::from_secs(300);

/// Packages on this machine.
#[derive(Debug, Clone)]
pub struct Made {
    /// What there is to say of them.
    pub layer: Layer,
    /// Where they are.
    pub folder: PathBuf,
}

/// The packages that some code asks for, made when they are not there yet. All of it or nothing: whoever comes second takes the
/// first one's. `platform`: for what hosts, as `uv` names them; `None`: for this machine.
pub async fn made(
    requirements: &Requirements,
    python: &Interpreter,
    platform: Option<&str>,
    progress: &Progress,
) -> Result<Made, FunctionError> {
    let failed = |why: String| FunctionError::new(Code::PackagesRefused, why);
    let named = requirements.file.display();
    let cache =
        cache_folder().ok_or_else(|| failed("there is no cache folder: HOME is not set".to_owned()))?;
    let cache = cache.join(FOLDER);
    let place = cache.join(key(requirements, &python.version, platform));
    if let Some(made) = kept(&place) {
        return Ok(made);
    }
    let uv = Uv::find_here().ok_or_else(|| {
        failed(format!("uv, which installs the packages of {named}, is not on this machine"))
            .hint("install it, such as by pip install uv; MODELET_UV names one elsewhere")
    })?;
    let not_written = |error: std::io::Error| {
        failed(format!("the packages could not be kept in {}: {error}", cache.display()))
    };
    fs::create_dir_all(&cache).map_err(not_written)?;
    let work = tempfile::tempdir_in(&cache).map_err(not_written)?;
    let refused = |why: String| refused(&named.to_string(), platform, &why);
    let lock = if let Ok(known) = fs::read_to_string(place.join(LOCK)) {
        known
    } else {
        progress.next(format!("resolving {}", file_name(&requirements.file)));
        resolve(&uv, requirements, python, platform).await.map_err(refused)?
    };
    let draft = work.path().join("draft");
    fs::create_dir(&draft).map_err(not_written)?;
    fs::write(draft.join(LOCK), &lock).map_err(not_written)?;
    let packages = listed(&lock);
    progress.next(format!("installing {} packages for Python {}", packages.len(), python.version));
    install(&uv, python, platform, &draft).await.map_err(refused)?;
    progress.next("reading what was installed");
    let (folder, card) = (draft.join(PACKAGES), draft.join(CARD));
    let summed = tokio::task::spawn_blocking(move || describe(&folder, packages, &card)).await;
    summed.map_err(|error| failed(error.to_string()))?.map_err(not_written)?;
    if place.exists() && kept(&place).is_none() {
        // What was changed; whoever else makes them may have been faster.
        let _ = fs::rename(&place, work.path().join("changed"));
    }
    if let Err(error) = fs::rename(&draft, &place)
        && kept(&place).is_none()
    {
        return Err(not_written(error));
    }
    kept(&place).ok_or_else(|| failed(format!("{} is not whole", place.display())))
}

/// What `uv` said, as a failure of the requirements.
fn refused(named: &str, platform: Option<&str>, why: &str) -> FunctionError {
    let said = why.split_once("error: ").map_or(why, |(_, said)| said);
    let error = FunctionError::new(Code::PackagesRefused, format!("{named}: {said}"));
    if let Some(platform) = platform.filter(|_| said.contains("wheel")) {
        return error.hint(format!(
            "they have to be for the target's system, {platform}: AWS Lambda's Python 3.12 and newer ([python] version) has a newer one, \
             and an image has its own (--image)"
        ));
    }
    if said.contains("wheel") {
        return error.hint(
            "only wheels are taken, since building a package runs its code here: ask for a version that has one, or make one (pip \
             wheel NAME) and name its file in the requirements",
        );
    }
    error.hint(
        "these are uv's words; change the versions that are asked for, or [python] version in modelet.toml",
    )
}

/// What the same packages have in common: what is asked for, the Python, the machine or the hosts.
fn key(requirements: &Requirements, version: &str, platform: Option<&str>) -> String {
    let form = format!("{:?}", requirements.form);
    let text = [form.as_str(), &requirements.text, version, platform.unwrap_or(ARCH)].join("\n\0\n");
    digest::hex(&Sha256::digest(text))[..16].to_owned()
}

/// Removes what is of this machine alone, and writes what there is to say of packages, as if at the moment when the last of their files
/// was written.
fn describe(folder: &Path, packages: Vec<String>, card: &Path) -> std::io::Result<()> {
    reproducible::clean(folder)?;
    let written_at = layer::written_at(folder)?;
    let (sha256, size_bytes) = layer::digest(folder)?;
    fs::write(card, serde_json::to_vec(&Layer { sha256, size_bytes, packages })?)?;
    fs::File::options().write(true).open(card)?.set_modified(written_at)
}

/// What lies there, unless a file of it was written after it was described.
fn kept(place: &Path) -> Option<Made> {
    let card = place.join(CARD);
    let layer = serde_json::from_slice(&fs::read(&card).ok()?).ok()?;
    let described_at = fs::metadata(&card).ok()?.modified().ok()?;
    let folder = place.join(PACKAGES);
    (layer::written_at(&folder).ok()? <= described_at).then_some(Made { layer, folder })
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Versions and hashes of all packages, as a requirements file, with the places besides PyPI that they come from.
async fn resolve(
    uv: &Uv,
    requirements: &Requirements,
    python: &Interpreter,
    platform: Option<&str>,
) -> Result<String, String> {
    let folder = requirements.file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).map_err(|error| error.to_string())?;
    // Paths within the file are meant from where it lies.
    let mut args: Vec<OsString> = vec!["--directory".into(), folder.clone().into()];
    let words: &[&str] = match requirements.form {
        Form::RequirementsTxt | Form::Pyproject => &[
            "pip",
            "compile",
            "--quiet",
            "--no-header",
            "--no-annotate",
            "--generate-hashes",
            "--emit-index-url",
            "--emit-find-links",
            "--only-binary",
            ":all:",
        ],
        // Frozen: what the lock says, without a look at whether it is up to date.
        Form::UvLock => &[
            "export",
            "--quiet",
            "--no-header",
            "--frozen",
            "--no-dev",
            "--no-emit-project",
            "--no-annotate",
        ],
    };
    args.extend(words.iter().map(OsString::from));
    args.extend(["--python".into(), python.program.clone().into()]);
    // A lock is for all platforms.
    if requirements.form != Form::UvLock {
        args.extend(of_platform(platform));
        args.push(file_name(&requirements.file).into());
    }
    Ok(anchored(&uv.run(args, RESOLVE_LIMIT).await?, &folder))
}

/// A resolved file that can lie elsewhere: what its paths lead to stays in `folder`.
fn anchored(lock: &str, folder: &Path) -> String {
    let line = |line: &str| match line.strip_prefix(FIND_LINKS) {
        Some(place) if folder.join(place).exists() => {
            format!("{FIND_LINKS}{}", folder.join(place).display())
        }
        None if line.starts_with('.') => folder.join(line).display().to_string(),
        _ => line.to_owned(),
    };
    lock.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn of_platform(platform: Option<&str>) -> impl Iterator<Item = OsString> {
    platform.into_iter().flat_map(|platform| ["--python-platform".into(), platform.into()])
}

async fn install(uv: &Uv, python: &Interpreter, platform: Option<&str>, draft: &Path) -> Result<(), String> {
    let mut args: Vec<OsString> =
        ["pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"].map(Into::into).into();
    args.extend(["--python".into(), python.program.clone().into()]);
    args.extend(of_platform(platform));
    args.extend(["--target".into(), draft.join(PACKAGES).into()]);
    args.extend(["--requirements".into(), draft.join(LOCK).into()]);
    fs::create_dir_all(draft.join(PACKAGES)).map_err(|error| error.to_string())?;
    uv.run(args, INSTALL_LIMIT).await?;
    reproducible::compile(&python.program, &draft.join(PACKAGES), INSTALL_LIMIT).await
}

/// `numpy==2.4.0` of each package in a resolved file; of a wheel that is named by its path, what its name says.
fn listed(lock: &str) -> Vec<String> {
    let pin = |line: &str| {
        let pin = line.split([' ', ';', '\\']).next()?.trim();
        if let Some(wheel) = pin.strip_suffix(".whl") {
            let mut parts = wheel.rsplit('/').next()?.split('-');
            return Some(format!("{}=={}", parts.next()?.replace('_', "-"), parts.next()?));
        }
        (pin.contains("==") && !pin.starts_with(['-', '#'])).then(|| pin.to_owned())
    };
    let mut pins: Vec<String> = lock.lines().filter_map(pin).collect();
    pins.sort();
    pins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolved_file_lists_its_packages() {
        let lock = "numpy==2.4.0 \\\n    --hash=sha256:ab \\\n    --hash=sha256:cd\n# via x\nabc==1 ; python_version >= \"3.9\"\n-e .\n\
                    /a/my_own-1.0+cpu-py3-none-any.whl \\\n    --hash=sha256:ef";
        assert_eq!(listed(lock), ["abc==1", "my-own==1.0+cpu", "numpy==2.4.0"]);
    }

    #[test]
    fn a_resolved_file_can_lie_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("wheels")).unwrap();
        let lock = "--index-url https://pypi.org/simple\n--find-links ./wheels\n--find-links https://x.example/y\n./wheels/x.whl \\\n    \
                    --hash=sha256:ab\nnumpy==2.4.0";
        let here = folder.path().display();
        let found = anchored(lock, folder.path());
        assert_eq!(
            found.lines().collect::<Vec<_>>(),
            [
                "--index-url https://pypi.org/simple",
                &format!("--find-links {here}/./wheels"),
                "--find-links https://x.example/y",
                &format!("{here}/./wheels/x.whl \\"),
                "    --hash=sha256:ab",
                "numpy==2.4.0",
            ]
        );
    }

    #[test]
    fn packages_that_were_changed_are_not_kept() {
        let place = tempfile::tempdir().unwrap();
        let (folder, card) = (place.path().join(PACKAGES), place.path().join(CARD));
        let file = folder.join("numpy.py");
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "x = 1").unwrap();
        assert!(kept(place.path()).is_none(), "it is not whole");
        describe(&folder, vec!["numpy==2.4.0".to_owned()], &card).unwrap();
        let layer = kept(place.path()).unwrap().layer;
        assert_eq!((layer.size_bytes, &*layer.packages[0]), (5, "numpy==2.4.0"));
        let written_at = fs::metadata(&file).unwrap().modified().unwrap();
        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_modified(written_at + Duration::from_millis(1))
            .unwrap();
        assert!(kept(place.path()).is_none());
    }

    #[test]
    fn other_requirements_or_another_python_are_other_packages() {
        let requirements =
            |text: &str, form| Requirements { file: "requirements.txt".into(), form, text: text.to_owned() };
        let one = key(&requirements("numpy", Form::RequirementsTxt), "3.11", None);
        assert_eq!(one, key(&requirements("numpy", Form::RequirementsTxt), "3.11", None));
        for other in [
            key(&requirements("numpy\n", Form::RequirementsTxt), "3.11", None),
            key(&requirements("numpy", Form::Pyproject), "3.11", None),
            key(&requirements("numpy", Form::RequirementsTxt), "3.12", None),
            key(&requirements("numpy", Form::RequirementsTxt), "3.11", Some("x86_64-manylinux_2_28")),
        ] {
            assert_ne!(one, other);
        }
    }
}
