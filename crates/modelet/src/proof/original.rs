//! An original answers, in its own framework.

use std::path::Path;

use modelet_package::certificate::original::Original;
use modelet_package::certificate::wire::{Answers, Message};
use modelet_package::certificate::{SCRIPT, Testimony};
use modelet_package::conversion::NETWORKS;
use modelet_worker::Spawner;

use super::environment::Python;
use super::guest::{self, Errand};
use crate::cli::proof::ProofOptions;

/// Largest answer, in bytes.
const ANSWER_BYTES: usize = 1 << 30;

/// Asks an original, all questions at once. The error is the reason why it cannot be asked. `work` gets what the sandbox shows it.
pub async fn ask(
    spawner: &Spawner,
    python: &Python,
    options: &ProofOptions,
    original: &Original,
    questions: &[Message],
    work: &Path,
) -> Result<Testimony, String> {
    let laid_out = errand(original, questions, work);
    let errand = laid_out.map_err(|error| format!("the original could not be laid out: {error}"))?;
    let done = guest::run(spawner, python, options, errand).await?;
    let answers = Answers::read_all(&done.stdout)
        .map_err(|why| format!("what the original answers makes no sense: {why}"))?;
    Ok(Testimony { answers, rung: done.rung })
}

fn errand(original: &Original, questions: &[Message], work: &Path) -> std::io::Result<Errand> {
    let script = guest::write(work.join("answer.py"), SCRIPT.as_bytes())?;
    let networks = guest::write(work.join(NETWORKS.0), NETWORKS.1.as_bytes())?;
    let model = guest::copy(original, work)?;
    let bytes: Vec<_> = questions.iter().map(Message::to_bytes).collect();
    let rows = guest::write(work.join("rows"), &bytes.concat())?;
    Ok(Errand {
        who: "the original",
        script,
        args: vec![original.loader.as_str().into(), model.clone().into(), rows.clone().into()],
        shown: vec![networks, model, rows],
        answer_bytes: ANSWER_BYTES,
    })
}
