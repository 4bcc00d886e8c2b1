//! Which packages make the environment in which an original answers: the framework in the version that wrote the file, and
//! around it what goes with that version.
//!
//! Packages are installed without what they ask for: all that is needed is listed, and a wheel that brings gigabytes for
//! graphics cards (XGBoost's) stays away.

mod networks;

use super::original::{Loader, Original};

/// Of a file that names no version: the newest that is pinned.
const NEWEST_LIGHTGBM: &str = "4.7.0";
/// From here on XGBoost has a package without what graphics cards need.
const XGBOOST_CPU_SINCE: [u64; 3] = [2, 1, 1];
const SKOPS: &str = "0.13.0";

/// Libraries that go together.
struct Era {
    /// Versions of Python that have wheels of all of them, the best first.
    pythons: &'static [&'static str],
    numpy: &'static str,
    scipy: &'static str,
    scikit_learn: &'static str,
    joblib: &'static str,
    pandas: &'static str,
}

/// numpy 2.
const NEW: Era = Era {
    pythons: &["3.11", "3.12", "3.13"],
    numpy: "2.2.6",
    scipy: "1.15.3",
    scikit_learn: "1.6.1",
    joblib: "1.5.1",
    pandas: "2.2.3",
};
/// The last numpy 1.
const MIDDLE: Era = Era {
    pythons: &["3.11", "3.10", "3.12", "3.9"],
    numpy: "1.26.4",
    scipy: "1.11.4",
    scikit_learn: "1.3.2",
    joblib: "1.3.2",
    pandas: "2.1.4",
};
/// What scikit-learn before 1.2 was built for.
const OLD: Era = Era {
    pythons: &["3.10", "3.9", "3.8"],
    numpy: "1.23.5",
    scipy: "1.9.3",
    scikit_learn: "1.0.2",
    joblib: "1.2.0",
    pandas: "1.5.3",
};
/// Pure Python, in one version for all.
const PLAIN: &[(&str, &str)] = &[
    ("threadpoolctl", "3.6.0"),
    ("narwhals", "2.0.1"),
    ("cloudpickle", "3.1.1"),
    ("python-dateutil", "2.9.0.post0"),
    ("pytz", "2025.2"),
    ("tzdata", "2025.2"),
    ("six", "1.17.0"),
    ("packaging", "25.0"),
    ("prettytable", "3.16.0"),
    ("wcwidth", "0.2.13"),
];

/// An environment: what is installed for which Python.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pins {
    /// Versions of Python that will do, the best first.
    pub pythons: &'static [&'static str],
    /// Packages with their versions, as `uv` reads them.
    pub packages: Vec<String>,
    /// True when what they ask for is installed too: PyTorch's wheels for processors ask for other packages than those for
    /// graphics cards.
    pub is_resolved: bool,
}

/// What an original needs.
///
/// # Errors
/// A sentence, when there is no environment for it.
pub fn pins(original: &Original) -> Result<Pins, String> {
    if let Some(network) = networks::pins(&original.framework, original.version.as_deref()) {
        return network;
    }
    let framework = &original.framework;
    let (version, number) = released(framework, original.version.as_deref())?;
    let era = match framework.as_str() {
        "scikit-learn" => era(number, [1, 2, 0], [1, 5, 0]),
        "xgboost" => era(number, [1, 6, 0], [2, 1, 0]),
        "lightgbm" => era(number, [3, 3, 0], [4, 5, 0]),
        "catboost" => era(number, [1, 2, 0], [1, 2, 7]),
        other => return Err(format!("no environment is known for {other}")),
    };
    let mut packages =
        vec![(package(framework, number), version), ("numpy", era.numpy), ("scipy", era.scipy)];
    for guest in &original.guests {
        let (version, number) = released(&guest.name, guest.version.as_deref())?;
        packages.push((package(&guest.name, number), version));
    }
    packages.extend([("pandas", era.pandas), ("joblib", era.joblib)]);
    if framework != "scikit-learn" {
        packages.push(("scikit-learn", era.scikit_learn));
    }
    packages.extend(PLAIN);
    if original.loader == Loader::Skops {
        packages.push(("skops", SKOPS));
    }
    let packages = packages.into_iter().map(|(name, version)| format!("{name}=={version}")).collect();
    Ok(Pins { pythons: era.pythons, packages, is_resolved: false })
}

/// The version of a framework that wrote a model, as it is said and as numbers.
fn released<'a>(framework: &str, said: Option<&'a str>) -> Result<(&'a str, [u64; 3]), String> {
    let newest = (framework == "lightgbm").then_some(NEWEST_LIGHTGBM);
    let version = said
        .or(newest)
        .ok_or_else(|| format!("the file does not say which version of {framework} wrote it"))?;
    let number =
        numbers(version).ok_or_else(|| format!("{version:?} is no released version of {framework}"))?;
    Ok((version, number))
}

/// What a framework is called where it is installed from.
fn package(framework: &str, version: [u64; 3]) -> &str {
    if framework == "xgboost" && version >= XGBOOST_CPU_SINCE { "xgboost-cpu" } else { framework }
}

fn era(version: [u64; 3], middle: [u64; 3], new: [u64; 3]) -> &'static Era {
    match () {
        () if version >= new => &NEW,
        () if version >= middle => &MIDDLE,
        () => &OLD,
    }
}

/// A version as three numbers; `None` for one that is not released, or that is no version at all: it becomes part of a command.
pub(super) fn numbers(version: &str) -> Option<[u64; 3]> {
    let numbers = version.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>()?;
    match numbers[..] {
        [major, minor] => Some([major, minor, 0]),
        [major, minor, patch] | [major, minor, patch, _] => Some([major, minor, patch]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pickle::Framework;

    fn of(framework: &str, version: Option<&str>, loader: Loader) -> Result<Pins, String> {
        pins(&Original {
            file: "model".into(),
            loader,
            framework: framework.into(),
            version: version.map(str::to_owned),
            guests: vec![],
        })
    }

    #[test]
    fn the_version_in_the_file_decides_what_goes_with_it() {
        for (framework, version, wanted) in [
            ("xgboost", Some("3.2.0"), ["xgboost-cpu==3.2.0", "numpy==2.2.6"]),
            ("xgboost", Some("1.7.6"), ["xgboost==1.7.6", "numpy==1.26.4"]),
            ("lightgbm", None, ["lightgbm==4.7.0", "numpy==2.2.6"]),
            ("catboost", Some("1.2.10"), ["catboost==1.2.10", "numpy==2.2.6"]),
            ("scikit-learn", Some("1.0.2"), ["scikit-learn==1.0.2", "numpy==1.23.5"]),
            ("scikit-learn", Some("1.4.2"), ["scikit-learn==1.4.2", "numpy==1.26.4"]),
        ] {
            let packages = of(framework, version, Loader::Joblib).unwrap().packages;
            for wanted in wanted {
                assert!(packages.iter().any(|package| package == wanted), "{wanted}: {packages:?}");
            }
            let learners = packages.iter().filter(|package| package.starts_with("scikit-learn==")).count();
            assert_eq!(learners, 1);
        }
    }

    #[test]
    fn frameworks_within_another_are_installed_beside_it() {
        let guest =
            |name: &str, version: &str| Framework { name: name.into(), version: Some(version.into()) };
        let original = Original {
            file: "model".into(),
            loader: Loader::Joblib,
            framework: "scikit-learn".into(),
            version: Some("1.6.1".into()),
            guests: vec![guest("xgboost", "3.2.0"), guest("catboost", "1.2.10")],
        };
        let packages = pins(&original).unwrap().packages;
        for wanted in ["scikit-learn==1.6.1", "xgboost-cpu==3.2.0", "catboost==1.2.10"] {
            assert!(packages.iter().any(|package| package == wanted), "{wanted}: {packages:?}");
        }
        let evil = Original { guests: vec![guest("xgboost", "3.2.0 --index-url=http://x")], ..original };
        assert!(pins(&evil).is_err());
    }

    #[test]
    fn networks_get_a_framework_that_reads_them() {
        for (framework, version, wanted) in [
            ("keras", Some("3.6.0"), &["keras==3.6.0", "tensorflow-cpu==2.21.0", "tf2onnx==1.17.0"][..]),
            ("tf-keras", Some("2.15.0"), &["tf-keras==2.21.0", "tensorflow-cpu==2.21.0"]),
            ("tensorflow", Some("2.11.1"), &["tensorflow-cpu==2.21.0", "tf2onnx==1.17.0"]),
            ("torch", None, &["torch==2.15.0", "onnxscript==0.7.2"]),
        ] {
            let pins = of(framework, version, Loader::Keras).unwrap();
            assert_eq!(pins.is_resolved, framework == "torch");
            for wanted in wanted {
                assert!(pins.packages.iter().any(|package| package == wanted), "{wanted}: {pins:?}");
            }
        }
        let newer = of("torch", Some("2.16.0"), Loader::TorchExport).unwrap_err();
        assert_eq!(newer, "the file was written by torch 2.16.0, environments are known up to 2.15.0");
    }

    #[test]
    fn what_is_no_version_never_becomes_part_of_a_command() {
        for version in ["1.5.dev0", "3.2.0 --index-url=http://x", "", "../1", "1"] {
            assert!(of("xgboost", Some(version), Loader::Xgboost).is_err(), "{version}");
        }
        assert!(of("keras", Some("3.15.1 --x"), Loader::Keras).is_err());
        assert!(of("torchx", Some("2.2.0"), Loader::Pickle).unwrap_err().contains("torchx"));
        assert!(of("scikit-learn", None, Loader::Pickle).unwrap_err().contains("which version"));
    }
}
