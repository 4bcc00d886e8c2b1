//! Libraries and programs among files and packages: whether a host runs them.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use modelet_core::target::finding::{About, Finding, Verdict};
use modelet_core::target::host::System;
use modelet_core::{Processor, Target};

use crate::elf::{self, Elf, Machine};
use crate::layer;
use crate::shipment::PACKAGES;
use crate::source::Bundle;

/// What every such file begins with.
const MAGIC: &[u8] = b"\x7fELF";
/// Bytes of the header up to the end of what says its kind.
const HEAD_BYTES: u64 = 18;
/// The kinds that are loaded and run (`e_type`: EXEC, DYN); others are parts of such, or no code at all.
const KINDS: [u8; 2] = [2, 3];
/// How many files are named.
const NAMED: usize = 10;
/// Libraries of the system that every host has on which wheels for Linux run.
///
/// Source: PEP 600 and auditwheel's policy for manylinux, without what belongs to a desktop.
const EVERYWHERE: &[&str] = &[
    "ld-linux-aarch64.so.1",
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
    "libz.so.1",
];
/// What comes with the driver of a graphics card; no such library is loaded where there is none.
const OF_DRIVERS: [&str; 2] = ["libcuda.so", "libnvidia-"];

/// A library or a program.
#[derive(Debug, Clone)]
pub struct Binary {
    /// Its path in the shipment.
    pub path: String,
    /// What it asks for.
    pub elf: Elf,
}

/// Those of a function and of its packages.
///
/// # Errors
/// When a file cannot be read.
pub fn of(bundle: &Bundle, packages: Option<&Path>) -> io::Result<Vec<Binary>> {
    let own = bundle.files.iter().map(|file| (file.path.clone(), file.place.clone()));
    let packages = packages.map(layer::listed).transpose()?.unwrap_or_default();
    let packages = packages.into_iter().map(|file| (format!("{PACKAGES}/{}", file.path), file.place));
    let mut found = Vec::new();
    for (path, place) in own.chain(packages) {
        if is_elf(&place)?
            && let Some(elf) = elf::read(&fs::read(&place)?)
        {
            found.push(Binary { path, elf });
        }
    }
    Ok(found)
}

fn is_elf(place: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(place)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    // One of its two bytes is 0, whatever their order.
    let is_loaded = |head: &[u8]| head[16..].iter().any(|kind| KINDS.contains(kind));
    Ok(head.starts_with(MAGIC) && head.len() as u64 == HEAD_BYTES && is_loaded(&head))
}

/// Whether a target runs them on a processor. `system`: what it runs them in; `None` where that is not known.
pub fn findings(
    binaries: &[Binary],
    target: Target,
    processor: Processor,
    system: Option<System>,
) -> Vec<Finding> {
    let mut found = machines(binaries, processor);
    found.extend(system.and_then(|system| too_new(binaries, target, system)));
    found.extend(libraries(binaries, target));
    if found.is_empty() && !binaries.is_empty() {
        let what = format!("libraries and programs: {}, of {processor}", binaries.len());
        found.push(Finding::new(Verdict::Ok, About::Binaries, what));
    }
    found
}

/// Those of another machine. A package that has both may look for the right one itself.
fn machines(binaries: &[Binary], processor: Processor) -> Vec<Finding> {
    let is_ours = |binary: &&Binary| binary.elf.machine == Machine::Of(processor);
    let folders: HashSet<&str> = binaries.iter().filter(is_ours).map(|binary| folder(&binary.path)).collect();
    let (beside, alone): (Vec<&Binary>, Vec<&Binary>) = binaries
        .iter()
        .filter(|binary| !is_ours(binary))
        .partition(|binary| folders.contains(folder(&binary.path)));
    let named = |binary: &&Binary| format!("{}: {}", binary.path, binary.elf.machine);
    let finding = |verdict, binaries: Vec<&Binary>, what: &str| {
        (!binaries.is_empty()).then(|| {
            Finding::new(verdict, About::Binaries, format!("{} {what} {processor}", files(binaries.len())))
                .at(shown(binaries.iter().map(named)))
        })
    };
    let fix = "name its package in requirements.txt, which brings the one for this machine, in the place of a copy from another";
    [
        finding(Verdict::Breaks, alone, "made for another machine than").map(|finding| finding.fix(fix)),
        finding(Verdict::Note, beside, "made for another machine, beside others for"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Those that need a newer C library than the host has.
fn too_new(binaries: &[Binary], target: Target, system: System) -> Option<Finding> {
    let (major, minor) = system.glibc;
    let newer: Vec<String> = binaries
        .iter()
        .filter_map(|binary| Some((binary, binary.elf.glibc.filter(|glibc| *glibc > system.glibc)?)))
        .map(|(binary, (major, minor))| format!("{}: glibc {major}.{minor}", binary.path))
        .collect();
    if newer.is_empty() {
        return None;
    }
    let what = format!("a newer C library than {} has is needed by {}", target.title(), files(newer.len()));
    Some(
        Finding::new(Verdict::Breaks, About::Binaries, what)
            .at(shown(newer))
            .rule(format!("{}: glibc {major}.{minor}", system.name), system.source)
            .fix(
                "take another Python ([python] version = \"3.12\" and newer has glibc 2.34 on AWS Lambda), a version of the package \
                 with wheels for an older system (manylinux2014 needs 2.17), or an image",
            ),
    )
}

/// Libraries of the system that are asked for, and that a host may not have.
fn libraries(binaries: &[Binary], target: Target) -> Option<Finding> {
    let shipped: HashSet<&str> = binaries.iter().map(|binary| name(&binary.path)).collect();
    let is_missing = |library: &str| {
        !shipped.contains(library)
            && !EVERYWHERE.contains(&library)
            && !OF_DRIVERS.iter().any(|driver| library.starts_with(driver))
    };
    let mut asked: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for binary in binaries {
        for library in binary.elf.needed.iter().filter(|library| is_missing(library)) {
            asked.entry(library).or_default().push(&binary.path);
        }
    }
    if asked.is_empty() {
        return None;
    }
    let named = |(library, by): (&&str, &Vec<&str>)| match by.as_slice() {
        [one] => format!("{library}, for {one}"),
        [first, more @ ..] => format!("{library}, for {first} and {} more", more.len()),
        [] => (*library).to_owned(),
    };
    let what = format!("libraries of the system that {} may not have: {}", target.title(), asked.len());
    Some(
        Finding::new(Verdict::Warning, About::Binaries, what).at(shown(asked.iter().map(named))).fix(
            "bring the library with a package of its own, or beside the code; or take an image that has it",
        ),
    )
}

fn shown(places: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = places.into_iter().collect();
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    if more > 0 {
        all.push(format!("and {more} more"));
    }
    all
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use modelet_core::Manifest;

    use super::*;

    const OURS: Machine = Machine::Of(Processor::Arm64);
    const THEIRS: Machine = Machine::Of(Processor::X86_64);

    fn found(binaries: &[Binary], target: Target, python: Option<&str>) -> Vec<Finding> {
        findings(binaries, target, Processor::Arm64, target.system(python))
    }

    fn binary(path: &str, machine: Machine, glibc: Option<(u32, u32)>, needed: &[&str]) -> Binary {
        let needed = needed.iter().map(|name| (*name).to_owned()).collect();
        Binary { path: path.to_owned(), elf: Elf { machine, glibc, needed } }
    }

    #[test]
    fn one_of_another_machine_is_refused_by_name_unless_the_right_one_lies_beside_it() {
        let alone = [binary("packages/fast/fast.so", THEIRS, None, &[])];
        for target in Target::ALL {
            let found = found(&alone, target, Some("3.12"));
            assert_eq!((found[0].verdict, found.len()), (Verdict::Breaks, 1), "{target}");
            assert!(found[0].places[0].starts_with("packages/fast/fast.so: "), "{found:?}");
        }
        let beside = [
            binary("packages/debugger/attach_a.so", THEIRS, None, &[]),
            binary("packages/debugger/attach_b.so", OURS, None, &[]),
        ];
        assert_eq!(found(&beside, Target::Vertex, None)[0].verdict, Verdict::Note);
    }

    #[test]
    fn one_that_needs_a_newer_c_library_is_refused_where_the_host_has_an_older_one() {
        let new = [binary("packages/new.so", OURS, Some((2, 35)), &["libc.so.6"])];
        let on = |python| found(&new, Target::AwsLambda, Some(python));
        assert_eq!(on("3.12")[0].verdict, Verdict::Breaks);
        assert!(on("3.12")[0].places[0].contains("packages/new.so: glibc 2.35"));
        assert!(on("3.11")[0].limit.as_ref().unwrap().rule.contains("glibc 2.26"));
        let old = [binary("packages/old.so", OURS, Some((2, 28)), &["libc.so.6"])];
        assert_eq!(found(&old, Target::AwsLambda, Some("3.12"))[0].verdict, Verdict::Ok);
        assert_eq!(found(&new, Target::AzureFunctions, None)[0].verdict, Verdict::Ok);
    }

    #[test]
    fn libraries_that_nobody_brings_are_named() {
        let asks = [
            binary(
                "packages/cv2/cv2.so",
                OURS,
                None,
                &["libGL.so.1", "libown.so.2", "libcuda.so.1", "libc.so.6"],
            ),
            binary("packages/cv2.libs/libown.so.2", OURS, None, &[]),
        ];
        let found = found(&asks, Target::CloudRun, None);
        assert_eq!((found.len(), found[0].verdict), (1, Verdict::Warning));
        assert_eq!(found[0].places, ["libGL.so.1, for packages/cv2/cv2.so"]);
    }

    #[test]
    fn programs_are_found_among_packages() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tool")).unwrap();
        fs::write(folder.path().join("tool/a.py"), "x").unwrap();
        fs::write(folder.path().join("tool/part.o"), [MAGIC, &[2, 1, 1], &[0; 9], &[1, 0, 62, 0]].concat())
            .unwrap();
        fs::copy(std::env::current_exe().unwrap(), folder.path().join("tool/run")).unwrap();
        let bundle = Bundle { manifest: Manifest::default(), name: None, files: vec![] };
        let found = of(&bundle, Some(folder.path())).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].path.as_str(), found[0].elf.machine),
            ("packages/tool/run", Machine::Of(Processor::HERE))
        );
    }
}
