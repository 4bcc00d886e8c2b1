//! `modelet prove`: the original and the converted model answer the same rows. It needs no platform.

use std::sync::Arc;

use modelet_core::certificate::{Library, OutputProof, Verdict, short};
use modelet_core::{Code, FunctionName, Processor};
use modelet_package::Source;
use modelet_package::certificate::{self, Proof};
use serde_json::json;

use crate::cli::Common;
use crate::cli::proof::Prove;
use crate::making;
use crate::making::site::Site;
use crate::output::{self, Progress};
use crate::proof;
use crate::proof::conversion::Conversion;
use crate::report::Report;

pub async fn run(common: &Common, prove: &Prove) -> Result<(), Report> {
    let is_name = prove.path.to_str().is_some_and(|text| text.parse::<FunctionName>().is_ok());
    if !prove.path.exists() && is_name {
        let message = format!(
            "{} is no file; the platform keeps no originals, so that a function alone cannot be proved again",
            prove.path.display()
        );
        return Err(Report::new(Code::BadInput, message).hint("give the file that it was deployed from"));
    }
    let work = making::work_folder()?;
    let progress = Arc::new(Progress::start(format!("reading {}", prove.path.display())));
    let conversion = Conversion { options: prove.proof.clone(), progress: Arc::clone(&progress) };
    let source = making::source(&prove.path, conversion, Processor::HERE, work.path()).await?;
    let source = making::amended(source, prove.engine, &[])?;
    let Source::Model(source) = source else { return Err(proof::nothing_converted()) };
    let name = source.bundle.name.clone().or_else(|| FunctionName::nearest("model"));
    let name = name.ok_or_else(|| Report::new(Code::Internal, "no name for the model"))?;
    progress.next("trying the engines that can compute it");
    let evidence = making::model::evidence(&source, Site::Here).await?;
    let plan = making::model::plan(&source, name, &evidence, Site::Here)?;
    let proof = proof::prove(&source, &plan, &prove.proof, &progress).await?;
    drop(progress);
    if common.json {
        let mut value = json!(proof.certificate);
        value["worst"] = json!(proof.worst);
        output::json(&value);
    } else {
        print(&proof, &source.given());
    }
    match proof.certificate.verdict {
        Verdict::Proved => Ok(()),
        Verdict::Differs => Err(certificate::refusal(&proof, &source.given()).into()),
        Verdict::NotProved => Err(proof::not_proved(&proof)),
    }
}

fn print(proof: &Proof, given: &str) {
    let certificate = &proof.certificate;
    output::card_line("model", given);
    output::card_line(certificate.word(), certificate.line());
    if certificate.verdict == Verdict::NotProved {
        return;
    }
    let rows = &certificate.rows;
    output::card_line(
        "rows",
        format!(
            "{} made, {} given, {} that the original refuses; of {} of these asked alone, {} answered",
            rows.made, rows.given, rows.refused, rows.refused_asked, rows.refused_answered
        ),
    );
    for sizes in &certificate.sizes {
        let found = if sizes.is_compared() {
            format!("{} rows", sizes.compared)
        } else {
            "the original refuses them".to_owned()
        };
        output::card_line("sizes", format!("{}: {found}", output::plain(&sizes.inputs)));
    }
    let libraries = |libraries: &[Library]| {
        libraries.iter().map(|one| format!("{} {}", one.name, one.version)).collect::<Vec<_>>().join(", ")
    };
    output::card_line("original", libraries(&certificate.original));
    output::card_line("converted", libraries(&certificate.imported));
    if let Some(tolerance) = &certificate.tolerance {
        output::card_line("tolerance", format!("{}: {}", short(tolerance.relative), tolerance.reason));
    }
    if let Some(rung) = certificate.rung {
        output::card_line("isolation", u8::from(rung));
    }
    output::line("");
    output::table(
        &[
            "output",
            "values",
            "largest difference",
            "relative",
            "beyond",
            "NaN",
            "infinite",
            "labels differ",
            "ties",
        ],
        certificate.outputs.iter().map(row),
    );
}

fn row(output: &OutputProof) -> Vec<String> {
    let mut row = vec![
        output.name.clone(),
        output.values.to_string(),
        short(output.largest_absolute),
        short(output.largest_relative),
    ];
    let counts = [output.beyond, output.nan, output.infinite, output.labels_differ, output.ties];
    row.extend(counts.map(|count| count.to_string()));
    row
}
