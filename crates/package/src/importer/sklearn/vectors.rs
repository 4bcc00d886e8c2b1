//! Models of support vectors (libsvm), and ridge regression with kernels.

use modelet_core::Tensor;
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::{Answer, turned};
use super::centres::points;
use super::fitted::Fitted;
use super::inner::LIMITED;
use super::kernels::Kernel;
use super::several::votes;
use crate::importer::classes::PROBABILITIES;
use crate::pickle::{Asked, Item};

pub(super) fn regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    sums(fitted, graph, 1)?;
    graph.predict("sums", 1);
    Ok(LIMITED)
}

pub(super) fn one_class(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    sums(fitted, graph, 1)?;
    // libsvm says outside where the sum is 0, its decision says inside.
    graph.outside_at_zero("sums");
    Ok(LIMITED)
}

pub(super) fn classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let count = classes.len();
    if !fitted.item.get("_probA")?.numbers()?.is_empty() {
        return Err("its probabilities (probability=True): importing it is not built yet".to_owned());
    }
    sums(fitted, graph, count)?;
    graph.scalar("no_score", 0.0);
    graph.apply("Neg", &["sums"], "scores");
    graph.apply("Less", &["sums", "no_score"], "are_negative");
    graph.as_numbers("are_negative", "negative");
    let by_pairs = fitted.item.get("decision_function_shape")?.text()? == "ovo";
    let mut width = count * (count - 1) / 2;
    if count == 2 {
        graph.pick("scores", 0, "decision");
    } else if by_pairs {
        graph.apply("Identity", &["sums"], "decision");
    } else {
        votes(graph, ("negative", "scores"), count, "decision")?;
        width = count;
    }
    if fitted.item.get("break_ties")?.flag()? && count > 2 {
        if by_pairs {
            return Err(
                "it breaks ties, which scikit-learn refuses for decision_function_shape=\"ovo\"".to_owned()
            );
        }
        graph.largest("decision", "index");
    } else {
        pair_votes(graph, count)?;
        graph.largest("all_votes", "index");
    }
    graph.classify(classes, width);
    Ok(LIMITED)
}

/// libsvm's own votes: the first of two classes gets one where the sum is above 0, else the second.
fn pair_votes(graph: &mut GraphWriter, classes: usize) -> Asked<()> {
    let pairs: Vec<_> = (0..classes).flat_map(|i| (i + 1..classes).map(move |j| (i, j))).collect();
    let (mut firsts, mut seconds) = (vec![0.0; pairs.len() * classes], vec![0.0; pairs.len() * classes]);
    for (pair, (first, second)) in pairs.iter().enumerate() {
        firsts[pair * classes + first] = 1.0;
        seconds[pair * classes + second] = 1.0;
    }
    graph.matrix("first_of_pair", [pairs.len(), classes], firsts)?;
    graph.matrix("second_of_pair", [pairs.len(), classes], seconds)?;
    graph.apply("Greater", &["sums", "no_score"], "are_positive");
    graph.apply("Not", &["are_positive"], "are_not_positive");
    graph.as_numbers("are_positive", "positive");
    graph.as_numbers("are_not_positive", "not_positive");
    graph.apply("MatMul", &["positive", "first_of_pair"], "votes_for_firsts");
    graph.apply("MatMul", &["not_positive", "second_of_pair"], "votes_for_seconds");
    graph.apply("Add", &["votes_for_firsts", "votes_for_seconds"], "all_votes");
    Ok(())
}

/// Writes the sums over the vectors, one for each two classes.
fn sums(fitted: &Fitted, graph: &mut GraphWriter, classes: usize) -> Asked<()> {
    let item = &fitted.item;
    if item.get("_sparse")?.flag()? {
        return Err("it was fitted with a sparse matrix, which cannot be imported yet".to_owned());
    }
    let vectors = points(&item.get("support_vectors_")?, fitted.features)?;
    let kernel = Kernel::new(item.get("kernel")?.text()?, item.get("_gamma")?.number()?, item)?;
    kernel.write(graph, &fitted.input, (&vectors, fitted.features), true)?;
    let coefficients = item.get("_dual_coef_")?;
    let kept = vectors.len() / fitted.features;
    let one = usize::max(classes, 2) - 1;
    if coefficients.array()?.shape != [one, kept] {
        return Err(coefficients.not("a number for each vector and other class"));
    }
    let numbers = coefficients.numbers()?;
    let table = if classes < 3 { numbers } else { by_pair(fitted, &numbers, kept, classes)? };
    let offsets = item.get("_intercept_")?.numbers()?;
    if table.len() != offsets.len() * kept {
        return Err(item.not("a machine with as many sums as offsets"));
    }
    graph.matrix("coefficients", [kept, offsets.len()], turned(&table, kept))?;
    graph.constant("offsets", &Tensor::vector(offsets));
    graph.apply("MatMul", &["kernel", "coefficients"], "without_offsets");
    graph.apply("Add", &["without_offsets", "offsets"], "sums");
    Ok(())
}

/// The coefficients of each two classes: those of the first's vectors against the second, and the other way round.
fn by_pair(fitted: &Fitted, numbers: &[f64], kept: usize, classes: usize) -> Asked<Vec<f64>> {
    let item = fitted.item.get("_n_support")?;
    let counts = item.array()?.integers().ok_or_else(|| item.not("how many vectors each class has"))?;
    let counts: Vec<usize> = counts.iter().map(|count| usize::try_from(*count).unwrap_or(0)).collect();
    if counts.len() != classes || counts.iter().sum::<usize>() != kept {
        return Err(item.not("how many vectors each class has"));
    }
    let starts: Vec<usize> = (0..classes).map(|class| counts[..class].iter().sum()).collect();
    let mut table = Vec::new();
    for first in 0..classes {
        for second in first + 1..classes {
            let mut row = vec![0.0; kept];
            let own = starts[first]..starts[first] + counts[first];
            own.for_each(|at| row[at] = numbers[(second - 1) * kept + at]);
            let other = starts[second]..starts[second] + counts[second];
            other.for_each(|at| row[at] = numbers[first * kept + at]);
            table.extend(row);
        }
    }
    Ok(table)
}

/// `KernelRidge`
pub(super) fn ridge(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let item = &fitted.item;
    let gamma = item.get("gamma")?;
    let gamma = if gamma.is_none() { 1.0 / fitted.features as f64 } else { gamma.number()? };
    let kernel = Kernel::new(item.get("kernel")?.text()?, gamma, item)?;
    let kept = points(&item.get("X_fit_")?, fitted.features)?;
    kernel.write(graph, &fitted.input, (&kept, fitted.features), false)?;
    let coefficients = item.get("dual_coef_")?;
    let rows = kept.len() / fitted.features;
    let (targets, is_table) = match *coefficients.array()?.shape.as_slice() {
        [own] if own == rows => (1, false),
        [own, targets] if own == rows && targets > 0 => (targets, true),
        _ => return Err(coefficients.not("a number for each row that it kept")),
    };
    graph.matrix("coefficients", [rows, targets], coefficients.numbers()?)?;
    graph.apply("MatMul", &["kernel", "coefficients"], "sums");
    if is_table {
        graph.predict_table("sums", targets);
    } else {
        graph.predict("sums", 1);
    }
    Ok(LIMITED)
}

/// Label propagation: rows are like those that were seen, by a radial kernel, and share their labels.
pub(super) fn propagation(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let (item, classes) = (&fitted.item, fitted.classes()?);
    let kernel = item.get("kernel")?;
    if kernel.text()? != "rbf" {
        return Err(format!("its kernel {}: importing it is not built yet", kernel.text()?));
    }
    let kernel = Kernel::new("rbf", item.get("gamma")?.number()?, item)?;
    let kept = points(&item.get("X_")?, fitted.features)?;
    let shares = item.get("label_distributions_")?;
    let rows = kept.len() / fitted.features;
    if shares.array()?.shape != [rows, classes.len()] {
        return Err(shares.not("the shares of each class for each row that it kept"));
    }
    kernel.write(graph, &fitted.input, (&kept, fitted.features), false)?;
    graph.matrix("shares", [rows, classes.len()], shares.numbers()?)?;
    graph.apply("MatMul", &["kernel", "shares"], "sums");
    graph.row_sums("sums", "total");
    graph.apply("Div", &["sums", "total"], PROBABILITIES);
    classes.choose(graph);
    Ok(LIMITED)
}

/// A Gaussian process, whose answer is what it expects: `(K alpha) * std + mean`, of the kernel `constant * RBF`.
pub(super) fn process(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let item = &fitted.item;
    let (factor, scales) = scaled_radial(&item.get("kernel_")?)?;
    let kept = points(&item.get("X_train_")?, fitted.features)?;
    let rows = kept.len() / fitted.features;
    let scales = if scales.len() == 1 { vec![scales[0]; fitted.features] } else { scales };
    if scales.len() != fitted.features {
        return Err(item.not("a process with a length for each column"));
    }
    let scaled = kept.iter().zip(scales.iter().cycle()).map(|(number, scale)| number / scale);
    let (alpha, std, mean) = (item.get("alpha_")?, item.get("_y_train_std")?, item.get("_y_train_mean")?);
    let (std, mean) = (one_or_several(&std)?, one_or_several(&mean)?);
    if alpha.numbers()?.len() != rows || std.len() != 1 || mean.len() != 1 {
        return Err("it answers with several numbers for each row: importing it is not built yet".to_owned());
    }
    graph.constant("lengths", &Tensor::vector(scales.clone()));
    graph.apply("Div", &[&fitted.input, "lengths"], "in_lengths");
    let kernel = Kernel::Radial { gamma: 0.5 };
    kernel.write(graph, "in_lengths", (&scaled.collect::<Vec<_>>(), fitted.features), true)?;
    graph.scalar("factor", factor);
    graph.matrix("alpha", [rows, 1], alpha.numbers()?)?;
    graph.constant("std", &Tensor::vector(std));
    graph.constant("mean", &Tensor::vector(mean));
    graph.apply("Mul", &["kernel", "factor"], "times_factor");
    graph.apply("MatMul", &["times_factor", "alpha"], "expected");
    graph.apply("Mul", &["expected", "std"], "scaled_back");
    graph.apply("Add", &["scaled_back", "mean"], "answers");
    graph.predict("answers", 1);
    Ok(LIMITED)
}

/// The constant and the lengths of a kernel that is one, or a product with a constant.
fn scaled_radial(kernel: &Item) -> Asked<(f64, Vec<f64>)> {
    let lengths = |item: &Item| one_or_several(&item.get("length_scale")?);
    match &*kernel.class()?.name {
        "RBF" => Ok((1.0, lengths(kernel)?)),
        "Product" => {
            let (one, other) = (kernel.get("k1")?, kernel.get("k2")?);
            match (&*one.class()?.name, &*other.class()?.name) {
                ("ConstantKernel", "RBF") => Ok((one.get("constant_value")?.number()?, lengths(&other)?)),
                (one, other) => Err(format!("its kernel {one} * {other}: importing it is not built yet")),
            }
        }
        other => Err(format!("its kernel {other}: importing it is not built yet")),
    }
}

/// The numbers of an array, or one alone.
fn one_or_several(item: &Item) -> Asked<Vec<f64>> {
    if item.array().is_ok() { item.numbers() } else { Ok(vec![item.number()?]) }
}
