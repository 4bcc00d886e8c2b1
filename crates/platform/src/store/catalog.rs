//! Functions and their versions: on disk first, then in memory, where every call looks them up.
//!
//! - [`rows`]: how they lie in the database

mod rows;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use modelet_core::{ArtifactCard, Code, FunctionName, Percent, PlatformError, Qualifier, Traffic, Version};

use crate::store::accepted::Accepted;
use crate::store::artifacts::{Artifacts, Prepared};
use crate::store::layers::Layers;
use crate::store::schema;
use crate::store::store_failed;
use crate::store::writer::{self, Durability, Writer};

/// One version of a function. It never changes.
#[derive(Debug, Clone)]
pub struct VersionEntry {
    /// Its number.
    pub version: Version,
    /// SHA-256 of its artifact.
    pub sha256: String,
    /// What it was [made of](ArtifactCard::made_of).
    pub made_of: String,
    /// When it was deployed, milliseconds since 1970.
    pub created_at_ms: i64,
    /// The artifact's card.
    pub card: Arc<ArtifactCard>,
    /// What was measured when its engine was chosen: JSON, as the client sent it.
    pub evidence: Arc<str>,
}

/// A function: its versions and who gets its calls.
#[derive(Debug, Clone)]
pub struct FunctionEntry {
    /// Its name.
    pub name: FunctionName,
    /// Who gets the calls of the default alias.
    pub traffic: Traffic,
    /// When it was first deployed.
    pub created_at_ms: i64,
    /// All versions, by number.
    pub versions: BTreeMap<Version, Arc<VersionEntry>>,
}

impl FunctionEntry {
    /// The version that a qualifier means; of two live ones the one that gets most calls.
    pub fn resolve(&self, qualifier: Qualifier) -> Option<&Arc<VersionEntry>> {
        self.versions.get(&match qualifier {
            Qualifier::Live => self.traffic.version,
            Qualifier::Version(version) => version,
        })
    }

    /// The version that one call goes to, by a [draw](Traffic::pick), which is made only where it decides.
    pub fn pick(&self, qualifier: Qualifier, draw: impl FnOnce() -> u8) -> Option<&Arc<VersionEntry>> {
        match qualifier {
            Qualifier::Live if self.traffic.canary.is_some() => self.versions.get(&self.traffic.pick(draw())),
            other => self.resolve(other),
        }
    }

    /// The versions that get calls: one or two.
    pub fn live(&self) -> impl Iterator<Item = &Arc<VersionEntry>> {
        self.traffic.versions().filter_map(|version| self.versions.get(&version))
    }
}

/// What a new version gets of the calls. The first version of a function gets all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// All, from now on.
    All,
    /// A part; the others go on to whoever had them.
    Part(Percent),
    /// None, until somebody says so.
    None,
}

/// All functions.
pub struct Catalog {
    writer: Writer,
    path: PathBuf,
    artifacts: Artifacts,
    layers: Layers,
    functions: RwLock<HashMap<FunctionName, Arc<FunctionEntry>>>,
    /// The last number of each function, deleted ones included. Held while something changes: one deploy or delete at a
    /// time, the disk and the memory together.
    numbers: tokio::sync::Mutex<HashMap<FunctionName, u32>>,
}

impl Catalog {
    /// Opens `state.db` in the data folder, and removes artifacts that no version needs.
    pub fn open(data: &Path) -> Result<Self, PlatformError> {
        let what = "open state.db";
        let path = data.join("state.db");
        let mut connection = writer::open(&path, Durability::Full).map_err(|e| store_failed(what, e))?;
        schema::migrate(&mut connection, schema::STATE).map_err(|e| store_failed(what, e))?;
        let functions = rows::load(&connection).map_err(|e| store_failed("read state.db", e))?;
        let numbers = rows::load_numbers(&connection).map_err(|e| store_failed("read state.db", e))?;
        let artifacts = Artifacts::open(data).map_err(|e| store_failed("open the artifacts", e))?;
        let layers =
            Layers::open(data, artifacts.drafts()).map_err(|e| store_failed("open the layers", e))?;
        let writer = Writer::start("store", connection, Duration::ZERO)
            .map_err(|e| store_failed("start the writer", e))?;
        let catalog = Self {
            writer,
            path,
            artifacts,
            layers,
            functions: RwLock::new(functions),
            numbers: tokio::sync::Mutex::new(numbers),
        };
        let (artifacts, layers) = catalog.wanted();
        catalog.artifacts.sweep(&artifacts).map_err(|e| store_failed("look through the artifacts", e))?;
        catalog.layers.sweep(&layers).map_err(|e| store_failed("look through the layers", e))?;
        Ok(catalog)
    }

    /// The asynchronous invocations, which lie in the same database: they go with their function.
    pub fn accepted(&self) -> Result<Accepted, PlatformError> {
        Accepted::open(self.writer.clone(), &self.path)
    }

    /// The unpacked artifacts.
    pub fn artifacts(&self) -> &Artifacts {
        &self.artifacts
    }

    /// The unpacked layers.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// A function by name.
    pub fn get(&self, name: &FunctionName) -> Option<Arc<FunctionEntry>> {
        self.functions.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// A function by name, or the error that there is none.
    pub fn function(&self, name: &FunctionName) -> Result<Arc<FunctionEntry>, PlatformError> {
        self.get(name).ok_or_else(|| not_found(name))
    }

    /// All functions, by name.
    pub fn all(&self) -> Vec<Arc<FunctionEntry>> {
        let functions = self.functions.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = functions.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The version that a qualifier means, or the error that says what there is. Of two live ones it is the one that gets most calls.
    pub fn resolve(
        &self,
        name: &FunctionName,
        qualifier: Qualifier,
    ) -> Result<Arc<VersionEntry>, PlatformError> {
        let function = self.function(name)?;
        function.resolve(qualifier).cloned().ok_or_else(|| no_such_version(&function))
    }

    /// The version that one call goes to, by a [draw](Traffic::pick).
    pub fn pick(
        &self,
        name: &FunctionName,
        qualifier: Qualifier,
        draw: impl FnOnce() -> u8,
    ) -> Result<Arc<VersionEntry>, PlatformError> {
        let function = self.function(name)?;
        function.pick(qualifier, draw).cloned().ok_or_else(|| no_such_version(&function))
    }

    /// Publishes an artifact as the next version, which gets its share of the calls. The same source as a live version's makes no
    /// new one: then `false` comes back with that one, which gets the share.
    ///
    /// `ready` has a look at the version before anybody else can; when it refuses, there is no such version, and its number is
    /// given to no other.
    ///
    /// To be run to its end, whether or not the client waits: the disk and the memory change together.
    pub async fn publish(
        &self,
        prepared: Prepared,
        (evidence, share): (String, Share),
        now_ms: i64,
        ready: impl AsyncFnOnce(&Arc<VersionEntry>) -> Result<(), PlatformError>,
    ) -> Result<(Arc<VersionEntry>, bool), PlatformError> {
        let mut numbers = self.numbers.lock().await;
        let name = prepared.card.name.clone();
        let known = self.get(&name);
        let made_of = prepared.card.made_of();
        if let Some(known) = &known
            && let Some(same) = known.live().find(|live| live.made_of == made_of)
        {
            self.route_to(known, after(known.traffic, same.version, share)).await?;
            return Ok((same.clone(), false));
        }
        if let Some(layer) = prepared.card.packages()
            && !self.layers.has(&layer.sha256)
        {
            let message = format!("its packages, the layer {}, are not on this platform", layer.sha256);
            return Err(PlatformError::new(Code::BadArtifact, message)
                .hint("deploy again, which sends them; PUT /api/v1/layers/SHA256 does it by hand"));
        }
        let number = numbers.get(&name).copied().unwrap_or(0) + 1;
        let entry = Arc::new(VersionEntry {
            version: Version(number),
            sha256: prepared.sha256.clone(),
            made_of,
            created_at_ms: now_ms,
            card: Arc::new(prepared.card.clone()),
            evidence: evidence.into(),
        });
        self.artifacts.place(&prepared).map_err(|e| store_failed("store the artifact", e))?;
        numbers.insert(name.clone(), number);
        ready(&entry).await?;
        let mut function = known.map_or_else(
            || FunctionEntry {
                name,
                traffic: Traffic::all(entry.version),
                created_at_ms: now_ms,
                versions: BTreeMap::new(),
            },
            |known| (*known).clone(),
        );
        function.traffic = after(function.traffic, entry.version, share);
        let (row, traffic) = (entry.clone(), function.traffic);
        let inserted = self.writer.change(move |connection| rows::insert(connection, &row, traffic)).await;
        inserted.map_err(|e| store_failed("publish the version", e))?;
        function.versions.insert(entry.version, entry.clone());
        self.put(function);
        Ok((entry, true))
    }

    /// Gives the calls of the default alias to one version, or to two. `was`: only if they go so until now. To be run to its end, as
    /// [`Catalog::publish`].
    pub async fn route(
        &self,
        name: &FunctionName,
        next: Traffic,
        was: Option<Traffic>,
    ) -> Result<Traffic, PlatformError> {
        let _changing = self.numbers.lock().await;
        let function = self.function(name)?;
        if was.is_some_and(|was| was != function.traffic) {
            let message = format!("somebody was faster: {name} gives {} now", function.traffic);
            return Err(PlatformError::new(Code::TrafficChanged, message).hint(format!(
                "nothing was changed; look at it, and say again what is to be: modelet status {name}"
            )));
        }
        if next.canary.is_some_and(|canary| canary.version == next.version) {
            let message = format!("version {} cannot be the canary of itself", next.version);
            return Err(PlatformError::new(Code::BadInput, message)
                .hint("name another version, or leave the canary out"));
        }
        if next.versions().any(|version| !function.versions.contains_key(&version)) {
            return Err(no_such_version(&function));
        }
        self.route_to(&function, next).await?;
        Ok(next)
    }

    async fn route_to(&self, function: &FunctionEntry, next: Traffic) -> Result<(), PlatformError> {
        if next == function.traffic {
            return Ok(());
        }
        let key = function.name.to_string();
        let routed = self.writer.change(move |connection| rows::route(connection, &key, next));
        routed.await.map_err(|e| store_failed("change who gets the calls", e))?;
        self.put(FunctionEntry { traffic: next, ..function.clone() });
        Ok(())
    }

    /// Deletes a version that gets no calls. Its artifact stays until [`Catalog::sweep`]. To be run to its end, as
    /// [`Catalog::publish`].
    pub async fn delete_version(&self, name: &FunctionName, version: Version) -> Result<(), PlatformError> {
        let _changing = self.numbers.lock().await;
        let function = self.function(name)?;
        if !function.versions.contains_key(&version) {
            return Err(no_such_version(&function));
        }
        if function.traffic.reaches(version) {
            let message = format!("version {version} of {name} gets calls: {}", function.traffic);
            return Err(
                PlatformError::new(Code::VersionLive, message).hint("give them to another version first")
            );
        }
        let key = name.to_string();
        let deleted = self.writer.change(move |connection| rows::delete_version(connection, &key, version));
        deleted.await.map_err(|e| store_failed("delete the version", e))?;
        let mut function = (*function).clone();
        function.versions.remove(&version);
        self.put(function);
        Ok(())
    }

    fn put(&self, function: FunctionEntry) {
        let mut functions = self.functions.write().unwrap_or_else(PoisonError::into_inner);
        functions.insert(function.name.clone(), Arc::new(function));
    }

    /// Deletes a function with all its versions. Its artifacts stay until [`Catalog::sweep`]. To be run to its end, as
    /// [`Catalog::publish`].
    pub async fn delete(&self, name: &FunctionName) -> Result<Arc<FunctionEntry>, PlatformError> {
        let _changing = self.numbers.lock().await;
        let function = self.function(name)?;
        let key = name.to_string();
        let deleted = self
            .writer
            .change(move |connection| connection.execute("DELETE FROM functions WHERE name = ?1", [key]));
        deleted.await.map_err(|e| store_failed("delete the function", e))?;
        self.functions.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(function)
    }

    /// Removes artifacts and layers that no version needs.
    pub async fn sweep(&self) -> Result<(), PlatformError> {
        let _changing = self.numbers.lock().await;
        let (artifacts, layers) = (self.artifacts.clone(), self.layers.clone());
        let (wanted_artifacts, wanted_layers) = self.wanted();
        let swept = tokio::task::spawn_blocking(move || {
            artifacts.sweep(&wanted_artifacts).and_then(|()| layers.sweep(&wanted_layers))
        })
        .await;
        let swept = swept.map_err(|e| store_failed("remove old artifacts", e))?;
        swept.map_err(|e| store_failed("remove old artifacts", e))
    }

    /// The artifacts and the layers that versions need.
    fn wanted(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let functions = self.functions.read().unwrap_or_else(PoisonError::into_inner);
        let versions = || functions.values().flat_map(|function| function.versions.values());
        let layer = |version: &Arc<VersionEntry>| Some(version.card.packages()?.sha256.clone());
        (versions().map(|version| version.sha256.clone()).collect(), versions().filter_map(layer).collect())
    }
}

fn not_found(name: &FunctionName) -> PlatformError {
    PlatformError::new(Code::FunctionNotFound, format!("there is no function {name:?}", name = name.as_str()))
        .hint("modelet ls lists the functions")
}

fn no_such_version(function: &FunctionEntry) -> PlatformError {
    let versions: Vec<_> = function.versions.keys().map(Version::to_string).collect();
    let message = format!("{} has no such version; it has {}", function.name, versions.join(", "));
    PlatformError::new(Code::VersionNotFound, message)
}

/// Who gets the calls once a version has its share.
fn after(now: Traffic, version: Version, share: Share) -> Traffic {
    match share {
        Share::All => now.deployed(version, None),
        Share::Part(percent) => now.deployed(version, Some(percent)),
        Share::None => now,
    }
}
