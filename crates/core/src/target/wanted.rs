//! What `modelet.toml` asks for, against what a target has.

use super::Target;
use super::finding::{About, Finding, Verdict};
use crate::manifest::Manifest;

impl Target {
    /// What of a manifest does not hold there. Its settings become those that the target has, and lie under its limits.
    pub fn of_manifest(self, manifest: &mut Manifest) -> Vec<Finding> {
        let concurrency = manifest.settings.concurrency;
        let settings = self.fit(&mut manifest.settings).into_iter().map(|refused| {
            Finding::new(Verdict::Breaks, About::Settings, refused)
                .fix("change it in modelet.toml or on the command line")
        });
        let variables = self.refused_environment(&manifest.env).into_iter().map(|refused| {
            Finding::new(Verdict::Breaks, About::Variables, refused)
                .at(["modelet.toml, [env]".to_owned()])
                .rule("variables of the target's own, and the size of all", self.variables_source())
        });
        let mut found: Vec<Finding> = settings.chain(variables).collect();
        found.extend(manifest.secrets.iter().map(|(variable, secret)| self.of_secret(variable, secret)));
        found.extend(concurrency.filter(|calls| *calls > 1).and_then(|calls| self.of_concurrency(calls)));
        if let Some(rung) = manifest.isolation {
            let what = format!(
                "isolation = {} is asked of platforms of modelet: {} isolates in its own way",
                u8::from(rung),
                self.title()
            );
            found.push(Finding::new(Verdict::Note, About::Settings, what));
        }
        found
    }

    fn of_secret(self, variable: &str, secret: &str) -> Finding {
        if matches!(self, Self::AwsLambda | Self::Sagemaker) {
            let what = format!(
                "{variable} is the secret {secret}, which {} gives it by reference, out of AWS Secrets Manager; it was run with another value",
                self.title()
            );
            return Finding::new(Verdict::Note, About::Secrets, what).at(["modelet.toml, [secrets]".to_owned()]).fix(
                format!(
                    "make it there: aws secretsmanager create-secret --name {secret} --secret-string …; modelet deploy --to {} names it, and \
                     by hand MODELET_SECRET_{variable}=ARN does",
                    self.as_str()
                ),
            );
        }
        let what = format!(
            "{variable} is the secret {secret} of a platform of modelet, which {} does not know; it was run with another value",
            self.title()
        );
        Finding::new(Verdict::Warning, About::Secrets, what).at(["modelet.toml, [secrets]".to_owned()]).fix(
            format!(
                "keep it in the cloud's own store of secrets, and give it to the function there as {variable}"
            ),
        )
    }

    fn of_concurrency(self, calls: u64) -> Option<Finding> {
        let there = self.calls();
        if !there.one_at_a_time {
            return None;
        }
        let what = format!(
            "concurrency = {calls}: {} gives an instance one call at a time, so that {calls} calls at once are {calls} instances",
            self.title()
        );
        Some(Finding::new(Verdict::Note, About::Concurrency, what).rule("one call at a time", there.source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Rung;

    #[test]
    fn all_that_does_not_hold_there_is_found() {
        let mut manifest = Manifest { isolation: Some(Rung::Namespaces), ..Manifest::default() };
        manifest.settings.set("memory_mib", 64).unwrap();
        manifest.settings.set("concurrency", 8).unwrap();
        manifest.env.insert("AWS_REGION".into(), "mars".into());
        manifest.secrets.insert("API_KEY".into(), "partner-key".into());
        let found = Target::AwsLambda.of_manifest(&mut manifest);
        let about: Vec<_> = found.iter().map(|finding| (finding.about, finding.verdict)).collect();
        assert_eq!(
            about,
            [
                (About::Settings, Verdict::Breaks),
                (About::Variables, Verdict::Breaks),
                (About::Secrets, Verdict::Note),
                (About::Concurrency, Verdict::Note),
                (About::Settings, Verdict::Note),
            ]
        );
        assert_eq!(manifest.settings.memory_mib, Some(128));
        assert!(found[2].what.contains("partner-key"));
        assert!(found[2].fix.as_ref().unwrap().contains("MODELET_SECRET_API_KEY=ARN"));
        let elsewhere = &Target::CloudRun.of_manifest(&mut manifest)[0];
        assert_eq!((elsewhere.about, elsewhere.verdict), (About::Secrets, Verdict::Warning));
    }

    #[test]
    fn what_asks_for_nothing_is_told_nothing() {
        for target in Target::ALL {
            assert_eq!(target.of_manifest(&mut Manifest::default()), vec![], "{target}");
        }
        let mut manifest = Manifest::default();
        manifest.settings.set("concurrency", 8).unwrap();
        assert_eq!(Target::CloudRun.of_manifest(&mut manifest), vec![]);
    }
}
