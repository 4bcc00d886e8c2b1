//! Which imports are known: harmless whatever they are called with, as long as all that is passed to them is known too.
//!
//! Names are listed one by one in `known/*.txt`, for they are what an attacker chooses. A list of modules is not enough:
//! within known libraries lie ways to run anything (`numpy._core._ufunc_reconstruct` imports what it is told,
//! `scipy.stats` distributions `exec` text from their own state, `sklearn.datasets` downloads and opens files).
//! A line is a module, `/` where modules below it count too, a colon, and the names.

/// The lists.
const LISTS: &[&str] = &[
    include_str!("known/python.txt"),
    include_str!("known/numpy.txt"),
    include_str!("known/scipy.txt"),
    include_str!("known/sklearn.txt"),
    include_str!("known/pandas.txt"),
    include_str!("known/boosters.txt"),
];
/// Parts of a module's name below which nothing is known.
const NEVER: &[&str] = &["tests", "externals", "conftest", "datasets", "testing", "_testing"];

/// True when the import is in the lists. A name with a dot never is: it reaches through attributes to anything.
pub fn is_known(module: &str, name: &str) -> bool {
    if module.split('.').any(|part| NEVER.contains(&part)) {
        return false;
    }
    let lines = LISTS.iter().flat_map(|list| list.lines()).filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(':')).any(|(pattern, names)| {
        covers(pattern, module) && names.split_ascii_whitespace().any(|known| known == name)
    })
}

/// True when a line's module is this one, or, with `/` at its end, one above it.
fn covers(pattern: &str, module: &str) -> bool {
    match pattern.strip_suffix('/') {
        None => pattern == module,
        Some(root) => {
            let below = module.strip_prefix(root);
            below.is_some_and(|rest| {
                rest.is_empty()
                    || rest.strip_prefix('.').is_some_and(|rest| rest.split('.').all(is_identifier))
            })
        }
    }
}

fn is_identifier(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_written_as_they_are_read() {
        for line in LISTS.iter().flat_map(|list| list.lines()).filter(|line| !line.starts_with('#')) {
            let (module, names) = line.split_once(':').unwrap_or_else(|| panic!("{line:?} has no colon"));
            assert!(module.trim_end_matches('/').split('.').all(is_identifier), "{module:?}");
            assert!(names.split_ascii_whitespace().all(is_identifier), "{names:?}");
        }
    }

    #[test]
    fn what_models_are_made_of_is_known() {
        for (module, name) in [
            ("builtins", "set"),
            ("__builtin__", "object"),
            ("copy_reg", "_reconstructor"),
            ("numpy", "ndarray"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("sklearn.linear_model._logistic", "LogisticRegression"),
            ("sklearn.tree._tree", "Tree"),
            ("scipy.sparse._csr", "csr_matrix"),
            ("pandas.core.frame", "DataFrame"),
            ("xgboost.core", "Booster"),
            ("lightgbm.basic", "Booster"),
            ("catboost.core", "CatBoostClassifier"),
        ] {
            assert!(is_known(module, name), "{module}.{name}");
        }
    }

    #[test]
    fn nothing_dangerous_hides_in_a_known_library() {
        for (module, name) in [
            ("builtins", "eval"),
            ("builtins", "getattr"),
            ("builtins", "type"),
            ("__builtin__", "apply"),
            ("numpy", "load"),
            ("numpy", "memmap"),
            ("numpy.testing._private.utils", "runstring"),
            ("numpy.f2py.crackfortran", "myeval"),
            ("numpy._core", "_ufunc_reconstruct"),
            ("numpy.core", "_ufunc_reconstruct"),
            ("sklearn.datasets._base", "urlretrieve"),
            ("sklearn.externals._arff", "Conversor"),
            ("sklearn.utils.parallel", "Parallel"),
            ("sklearn.linear_model._logistic", "Parallel"),
            ("sklearn.linear_model.os", "system"),
            ("sklearn.linear_model._logistic", "LogisticRegression.fit"),
            ("sklearn.linear_model.", "LogisticRegression"),
            ("sklearn.linear_model.tests.x", "LogisticRegression"),
            ("sklearn.linear_modelx", "LogisticRegression"),
            ("scipy.stats._distn_infrastructure", "rv_continuous"),
            ("pandas.io.pickle", "read_pickle"),
            ("pandas.core.computation.eval", "eval"),
            ("functools", "reduce"),
            ("collections", "namedtuple"),
            ("copyreg", "add_extension"),
            ("joblib.numpy_pickle", "load"),
            ("joblib.numpy_pickle_compat", "NDArrayWrapper"),
            ("", ""),
        ] {
            assert!(!is_known(module, name), "{module}.{name}");
        }
    }
}
