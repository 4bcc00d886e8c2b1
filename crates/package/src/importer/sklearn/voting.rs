//! Models that each answer the same question: averages of their answers, and votes.

use modelet_core::Tensor;
use modelet_model::onnx::write::GraphWriter;

use super::Takes;
use super::answer::Answer;
use super::fitted::Fitted;
use super::inner::{Inner, MAX_MODELS, takes_of, write_all};
use super::sums::numpy_sum;
use crate::importer::classes::{Classes, PROBABILITIES};
use crate::pickle::{Asked, Item};

pub(super) fn classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let models = write_all(&fitted.item.get("estimators_")?.items()?, fitted, graph)?;
    let weights = weights(fitted, models.len())?;
    // The models were fitted with the numbers of the classes.
    let places = models.iter().map(|model| places(model, classes.len())).collect::<Asked<Vec<_>>>()?;
    let voting = fitted.item.get("voting")?;
    match voting.text()? {
        "soft" => {
            if places.iter().any(|places| !places.iter().copied().eq(0..classes.len())) {
                return Err("one of its models has not all of its classes".to_owned());
            }
            average_of(graph, &models, PROBABILITIES, weights.as_deref(), PROBABILITIES)?;
            graph.largest(PROBABILITIES, "index");
        }
        "hard" => {
            let mut votes = Vec::new();
            for (number, (model, places)) in models.iter().zip(&places).enumerate() {
                votes.push(vote(graph, model, places, classes.len(), &format!("vote{number}"))?);
            }
            let votes = weighted(graph, &votes, weights.as_deref());
            graph.total(&votes, "votes");
            graph.largest("votes", "index");
        }
        _ => return Err(voting.not("a way to vote that is known")),
    }
    graph.classify(classes, 0);
    Ok(takes_of(&models))
}

pub(super) fn regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let models = write_all(&fitted.item.get("estimators_")?.items()?, fitted, graph)?;
    let weights = weights(fitted, models.len())?;
    if let Some(model) = models.iter().find(|model| model.width.is_some()) {
        return Err(model.item.not("a model of one number"));
    }
    average_of(graph, &models, "prediction", weights.as_deref(), "mean")?;
    let column = graph.as_column("mean");
    graph.predict(&column, 1);
    Ok(takes_of(&models))
}

pub(super) fn bagging_classifier(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let classes = fitted.classes()?;
    let models = bagged(fitted, graph)?;
    let mut shares = Vec::new();
    let mut decisions = Vec::new();
    for (number, model) in models.iter().enumerate() {
        let (places, name) = (places(model, classes.len())?, format!("shares{number}"));
        shares.push(match model.find(PROBABILITIES) {
            Some(probabilities) => spread(graph, &probabilities, &places, classes.len(), &name)?,
            None => vote(graph, model, &places, classes.len(), &name)?,
        });
        if places.len() == classes.len() {
            decisions.extend(model.find("decision"));
        }
    }
    average(graph, &shares, None, PROBABILITIES);
    if decisions.len() == models.len() {
        average(graph, &decisions, None, "decision");
    }
    classes.choose(graph);
    Ok(takes_of(&models))
}

pub(super) fn bagging_regressor(fitted: &Fitted, graph: &mut GraphWriter) -> Asked<Takes> {
    let models = bagged(fitted, graph)?;
    let width = models[0].width;
    if models.iter().any(|model| model.width != width) {
        return Err("its models do not give equally many numbers".to_owned());
    }
    let tables = models.iter().map(|model| Ok(model.table(graph)?.0)).collect::<Asked<Vec<_>>>()?;
    average(graph, &tables, None, "means");
    match width {
        Some(width) => graph.predict_table("means", width),
        None => graph.predict("means", 1),
    }
    Ok(takes_of(&models))
}

/// The models of a bag, each with its own columns.
fn bagged<'a>(fitted: &Fitted<'a>, graph: &mut GraphWriter) -> Asked<Vec<Inner<'a>>> {
    let models = fitted.item.get("estimators_")?.items()?;
    let columns = fitted.item.get("estimators_features_")?.items()?;
    if models.len() != columns.len() || models.len() != fitted.item.get("n_estimators")?.count()? {
        return Err("it has not as many models as it says".to_owned());
    }
    if models.is_empty() || models.len() > MAX_MODELS {
        return Err(format!("it has {} models, the limit is {MAX_MODELS}", models.len()));
    }
    let mut written = Vec::new();
    for (number, (model, columns)) in models.iter().zip(&columns).enumerate() {
        let which = indices(columns, fitted.features)?;
        let name = format!("columns{number}");
        let input = if which.iter().copied().eq(0..fitted.features) {
            &fitted.input
        } else {
            graph.columns(&fitted.input, &which, &name);
            &name
        };
        let place = (&mut *graph, &*format!("model{number}"));
        written.push(Inner::write(model, fitted, (input, which.len()), place)?);
    }
    Ok(written)
}

/// Places below a limit.
pub(super) fn indices(item: &Item, limit: usize) -> Asked<Vec<usize>> {
    let whole = item.array()?.integers().ok_or_else(|| item.not("an array of places"))?;
    let place = |at: i64| usize::try_from(at).ok().filter(|at| *at < limit);
    whole.into_iter().map(place).collect::<Option<_>>().ok_or_else(|| item.not("an array of places"))
}

/// Which classes of the outer model those of an inner one are, which was fitted with their numbers.
fn places(model: &Inner, classes: usize) -> Asked<Vec<usize>> {
    let places = model.classes()?.places_in(&Classes::indices(classes));
    places.ok_or_else(|| model.item.not("a model of the classes of the one around it"))
}

/// The numbers of some classes as those of all.
fn spread(graph: &mut GraphWriter, from: &str, places: &[usize], classes: usize, to: &str) -> Asked<String> {
    if places.iter().copied().eq(0..classes) {
        return Ok(from.to_owned());
    }
    let mut matrix = vec![0.0; places.len() * classes];
    for (own, place) in places.iter().enumerate() {
        matrix[own * classes + place] = 1.0;
    }
    let name = format!("{to}_places");
    graph.matrix(&name, [places.len(), classes], matrix)?;
    graph.apply("MatMul", &[from, &name], to);
    Ok(to.to_owned())
}

/// 1 for the class that a model chooses, else 0.
fn vote(graph: &mut GraphWriter, model: &Inner, places: &[usize], classes: usize, to: &str) -> Asked<String> {
    let own = format!("{to}_own");
    graph.one_hot(&model.get("index")?, places.len(), &own);
    spread(graph, &own, places, classes, to)
}

/// Its weights, without those of models that were dropped.
fn weights(fitted: &Fitted, models: usize) -> Asked<Option<Vec<f64>>> {
    let item = fitted.item.get("weights")?;
    if item.is_none() {
        return Ok(None);
    }
    let all = item.numbers().or_else(|_| item.items()?.iter().map(Item::number).collect())?;
    let named = fitted.item.get("estimators")?.items()?;
    let mut kept = Vec::new();
    for (weight, named) in all.iter().zip(&named) {
        let pair = named.items()?;
        let is_dropped = pair.get(1).is_some_and(|model| model.text().is_ok_and(|text| text == "drop"));
        if !is_dropped {
            kept.push(*weight);
        }
    }
    if kept.len() == models { Ok(Some(kept)) } else { Err(item.not("a weight for each model")) }
}

/// Tables, each times its weight.
fn weighted(graph: &mut GraphWriter, tables: &[String], weights: Option<&[f64]>) -> Vec<String> {
    let Some(weights) = weights else { return tables.to_vec() };
    let mut names = Vec::new();
    for (number, (table, weight)) in tables.iter().zip(weights).enumerate() {
        let (name, to) = (format!("weight{number}"), format!("weighted{number}"));
        graph.constant(&name, &Tensor::vector(vec![*weight]));
        graph.apply("Mul", &[table, &name], &to);
        names.push(to);
    }
    names
}

/// The mean of what models say. Of float32 numbers without weights it is taken in float32.
fn average_of(
    graph: &mut GraphWriter,
    models: &[Inner],
    output: &str,
    weights: Option<&[f64]>,
    to: &str,
) -> Asked<()> {
    let all = models.iter().map(|model| model.get(output)).collect::<Asked<Vec<_>>>()?;
    if weights.is_some() || !models.iter().all(Inner::is_single) {
        average(graph, &all, weights, to);
        return Ok(());
    }
    let (sum, divisor, mean) = (format!("{to}_sum"), format!("{to}_divisor"), format!("{to}_single"));
    graph.total(&models.iter().filter_map(|model| model.single(output)).collect::<Vec<_>>(), &sum);
    graph.constant(&divisor, &Tensor::vector(vec![models.len() as f32]));
    graph.apply("Div", &[&sum, &divisor], &mean);
    graph.as_numbers(&mean, to);
    Ok(())
}

/// Their mean, with weights where there are some.
fn average(graph: &mut GraphWriter, tables: &[String], weights: Option<&[f64]>, to: &str) {
    let tables = weighted(graph, tables, weights);
    let (sum, divisor) = (format!("{to}_sum"), format!("{to}_divisor"));
    graph.total(&tables, &sum);
    graph.scalar(&divisor, weights.map_or(tables.len() as f64, numpy_sum));
    graph.apply("Div", &[&sum, &divisor], to);
}
