//! The worker's own code, which this binary carries: it is nowhere on the disk of an instance.

/// What Python is started with: it takes [`SOURCES`] from its socket, and imports them from memory.
pub const BOOT: &str = include_str!("../../../../../python/worker/modelet_worker/boot.py");

macro_rules! sources {
    ($($path:literal),* $(,)?) => {
        /// The modules of the worker, by their paths.
        pub const SOURCES: &[(&str, &str)] =
            &[$(($path, include_str!(concat!("../../../../../python/worker/", $path)))),*];
    };
}

sources! {
    "modelet_worker/__init__.py",
    "modelet_worker/accept.py",
    "modelet_worker/asgi/__init__.py",
    "modelet_worker/asgi/conversation.py",
    "modelet_worker/asgi/exchange.py",
    "modelet_worker/asks.py",
    "modelet_worker/context.py",
    "modelet_worker/controls.py",
    "modelet_worker/entry.py",
    "modelet_worker/environment.py",
    "modelet_worker/fault.py",
    "modelet_worker/http_form.py",
    "modelet_worker/imports.py",
    "modelet_worker/inputs.py",
    "modelet_worker/kinds/__init__.py",
    "modelet_worker/kinds/asgi.py",
    "modelet_worker/kinds/functions_framework.py",
    "modelet_worker/kinds/lambda_function.py",
    "modelet_worker/kinds/predict.py",
    "modelet_worker/kinds/score.py",
    "modelet_worker/kinds/wsgi.py",
    "modelet_worker/loaders/__init__.py",
    "modelet_worker/loaders/estimators.py",
    "modelet_worker/loaders/outside.py",
    "modelet_worker/loaders/pickles.py",
    "modelet_worker/loaders/wrapped.py",
    "modelet_worker/loaders/xgboost_boosters.py",
    "modelet_worker/logs.py",
    "modelet_worker/memo.py",
    "modelet_worker/pieces.py",
    "modelet_worker/plain.py",
    "modelet_worker/records.py",
    "modelet_worker/result.py",
    "modelet_worker/shutdown.py",
    "modelet_worker/strict.py",
    "modelet_worker/threads.py",
    "modelet_worker/wire.py",
    "modelet_worker/worker.py",
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn every_module_of_the_worker_is_carried() {
        let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/worker");
        let mut there: Vec<String> = files(&worker.join("modelet_worker"))
            .iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
            .map(|path| path.strip_prefix(&worker).unwrap().to_str().unwrap().to_owned())
            .filter(|path| path != "modelet_worker/boot.py")
            .collect();
        there.sort();
        let carried: Vec<&str> = SOURCES.iter().map(|(path, _)| *path).collect();
        assert_eq!(carried, there);
    }
}
