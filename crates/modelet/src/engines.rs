//! ONNX Runtime's library: where it is on this machine, and how it comes here.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use modelet_core::instance::ENV_ONNXRUNTIME;
use modelet_core::{Code, Processor};
use modelet_model::library::{self, Found, Places, Searched, Wheel};
use modelet_worker::once::{Finished, run_once};

use crate::launch::cache_folder;
use crate::report::Report;

/// Bringing the wheel and unpacking it may take this long.
const INSTALL_LIMIT: Duration = Duration::from_secs(600);
/// The Python that the pinned wheel is for; the library in it works without any.
const WHEEL_PYTHON: &str = "3.11";

/// Finds the library, or says where it was looked for.
pub fn locate() -> Result<Found, Vec<Searched>> {
    library::locate(&Places {
        setting: env::var_os(ENV_ONNXRUNTIME).filter(|path| !path.is_empty()).map(PathBuf::from),
        artifact: None,
        executable: env::current_exe().ok().and_then(|path| Some(path.parent()?.to_owned())),
        cache: cache_folder(),
        path: env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default(),
    })
}

/// The library that goes along with artifacts for a processor: for this machine's the one that is used here, for another one's the pinned
/// one, which was brought for it.
///
/// # Errors
/// `engine-missing`, with where it was looked for.
pub fn library_for(processor: Processor) -> Result<PathBuf, Report> {
    let missing = |looked: &str, hint: &str| {
        Report::new(Code::EngineMissing, format!("ONNX Runtime for {processor} was not found: {looked}"))
            .hint(hint)
    };
    if processor == Processor::HERE {
        return locate().map(|found| found.path).map_err(|searched| {
            let places: Vec<_> = searched.iter().map(ToString::to_string).collect();
            missing(&places.join("; "), "run: modelet engines install")
        });
    }
    let hint = format!("run: modelet engines install --arch {processor}");
    let cache =
        cache_folder().ok_or_else(|| missing("HOME is not set, so there is no cache folder", &hint))?;
    let place = cache.join(folder_for(processor)).join(library::FILE_NAME);
    let checked = library::verify(&place, wheel(processor)?.library_sha256);
    checked.map_err(|why| missing(&format!("{} {why}", place.display()), &hint))?;
    Ok(place)
}

/// The folder of the cache that it is installed into.
fn folder_for(processor: Processor) -> String {
    let own = library::CACHE_FOLDER;
    if processor == Processor::HERE { own.to_owned() } else { format!("{own}-{}", processor.of_linux()) }
}

/// The wheel for a processor.
fn wheel(processor: Processor) -> Result<&'static Wheel, Report> {
    library::WHEELS.iter().find(|wheel| wheel.processor == processor).ok_or_else(|| {
        Report::new(Code::EngineMissing, format!("there is no pinned ONNX Runtime for {processor}")).hint(
            format!(
                "put a library of version {} there yourself and name it in {ENV_ONNXRUNTIME}",
                library::PINNED
            ),
        )
    })
}

/// A program that can bring a wheel.
struct Installer {
    program: PathBuf,
    args: Vec<OsString>,
}

fn installers(wheel: &Wheel, target: &Path, requirements: &Path) -> Vec<Installer> {
    let python = find_program("python3");
    let machine = wheel.processor.of_linux();
    let platform = format!("{machine}-manylinux_2_28");
    let uv_args = |lead: &[&str]| {
        let mut args: Vec<OsString> = lead.iter().map(OsString::from).collect();
        args.extend(
            ["pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
                .map(Into::into),
        );
        args.extend(
            ["--python-version", WHEEL_PYTHON, "--python-platform", &platform, "--target"].map(Into::into),
        );
        args.extend([target.into(), OsString::from("-r"), requirements.into()]);
        args
    };
    let mut found = Vec::new();
    found.extend(find_program("uv").map(|program| Installer { program, args: uv_args(&[]) }));
    if let Some(program) = python {
        let mut args: Vec<OsString> =
            ["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"].map(Into::into).into();
        args.extend(
            ["--require-hashes", "--disable-pip-version-check", "--implementation", "cp"].map(Into::into),
        );
        args.extend(["--python-version".into(), WHEEL_PYTHON.into()]);
        for glibc in ["2_28", "2_27"] {
            args.extend(["--platform".into(), format!("manylinux_{glibc}_{machine}").into()]);
        }
        args.extend(["--target".into(), target.into(), OsString::from("-r"), requirements.into()]);
        found.push(Installer { program: program.clone(), args });
        found.push(Installer { program, args: uv_args(&["-m", "uv"]) });
    }
    found
}

/// Brings the pinned wheel for a processor with uv or pip, checks its hash and the library's, and puts the library into the cache. All of it,
/// or nothing; nothing, too, when it is there already.
pub async fn install(processor: Processor) -> Result<PathBuf, Report> {
    let wheel = wheel(processor)?;
    let cache = cache_folder().ok_or_else(|| {
        Report::new(Code::EngineMissing, "there is no cache folder: HOME is not set")
            .hint(format!("set HOME, or name a library in {ENV_ONNXRUNTIME}"))
    })?;
    let place = cache.join(folder_for(processor));
    let installed = place.join(library::FILE_NAME);
    if library::verify(&installed, wheel.library_sha256).is_ok() {
        return Ok(installed);
    }
    let failed = |what: &str, error: std::io::Error| {
        Report::new(Code::EngineMissing, format!("could not {what}: {error}"))
            .hint("check space and permissions")
    };
    let parent = place.parent().unwrap_or(&place);
    fs::create_dir_all(parent).map_err(|e| failed("make the cache folder", e))?;
    let work = tempfile::tempdir_in(parent).map_err(|e| failed("make a folder", e))?;
    let requirements = work.path().join("requirements.txt");
    let line = format!("onnxruntime=={} --hash=sha256:{}\n", library::PINNED, wheel.sha256);
    fs::write(&requirements, line).map_err(|e| failed("write the requirements", e))?;
    let target = work.path().join("wheel");
    bring(&installers(wheel, &target, &requirements)).await?;

    let draft = work.path().join("library");
    fs::create_dir(&draft).map_err(|e| failed("make a folder", e))?;
    let from_wheel = std::iter::once(&library::PATH_IN_WHEEL).chain(library::NOTICES_IN_WHEEL);
    for file in from_wheel {
        let name = Path::new(file).file_name().unwrap_or_default();
        fs::copy(target.join(file), draft.join(name))
            .map_err(|e| failed("take the library out of the wheel", e))?;
    }
    library::verify(&draft.join(library::FILE_NAME), wheel.library_sha256).map_err(|why| {
        Report::new(Code::EngineMissing, format!("the library that came is not the pinned one: {why}"))
            .hint("try again; if it happens twice, the package index serves something else than PyPI")
    })?;
    match fs::remove_dir_all(&place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(failed("replace the old library", error));
        }
        _ => {}
    }
    fs::rename(&draft, &place).map_err(|e| failed("put the library into the cache", e))?;
    Ok(installed)
}

async fn bring(installers: &[Installer]) -> Result<(), Report> {
    let hint = format!(
        "it needs uv or Python's pip, and a package index; or put the library there yourself and name it in {ENV_ONNXRUNTIME}"
    );
    let mut last = "neither uv nor python3 was found on PATH".to_owned();
    for Installer { program, args } in installers {
        match run_once(program, args, &[], INSTALL_LIMIT).await {
            Ok(Finished { code: Some(0), .. }) => return Ok(()),
            Ok(finished) => {
                last = format!("{} {}: {}", program.display(), finished.ending, last_line(&finished.stderr));
            }
            Err(error) => last = format!("{}: {error}", program.display()),
        }
    }
    Err(Report::new(Code::EngineMissing, format!("could not bring ONNX Runtime: {last}")).hint(hint))
}

fn last_line(text: &str) -> &str {
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message").trim()
}

/// A program on `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}
