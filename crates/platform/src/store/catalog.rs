//! Functions and their versions: on disk first, then in memory, where every call looks them up.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use modelet_core::{ArtifactCard, Code, FunctionName, PlatformError, Qualifier, Version};
use rusqlite::{Connection, params};

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
    /// When it was deployed, milliseconds since 1970.
    pub created_at_ms: i64,
    /// The artifact's card.
    pub card: Arc<ArtifactCard>,
    /// What was measured when its engine was chosen: JSON, as the client sent it.
    pub evidence: Arc<str>,
}

/// A function: its versions and where the default alias points.
#[derive(Debug, Clone)]
pub struct FunctionEntry {
    /// Its name.
    pub name: FunctionName,
    /// The version of the default alias.
    pub live: Version,
    /// When it was first deployed.
    pub created_at_ms: i64,
    /// All versions, by number.
    pub versions: BTreeMap<Version, Arc<VersionEntry>>,
}

impl FunctionEntry {
    /// The version that a qualifier means.
    pub fn resolve(&self, qualifier: Qualifier) -> Option<&Arc<VersionEntry>> {
        self.versions.get(&match qualifier {
            Qualifier::Live => self.live,
            Qualifier::Version(version) => version,
        })
    }
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
        let functions = load(&connection).map_err(|e| store_failed("read state.db", e))?;
        let numbers = load_numbers(&connection).map_err(|e| store_failed("read state.db", e))?;
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

    /// All functions, by name.
    pub fn all(&self) -> Vec<Arc<FunctionEntry>> {
        let functions = self.functions.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = functions.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The version that a call means, or the error that says what there is.
    pub fn resolve(
        &self,
        name: &FunctionName,
        qualifier: Qualifier,
    ) -> Result<Arc<VersionEntry>, PlatformError> {
        let function = self.get(name).ok_or_else(|| not_found(name))?;
        function.resolve(qualifier).cloned().ok_or_else(|| {
            let versions: Vec<_> = function.versions.keys().map(Version::to_string).collect();
            let message = format!("{name} has no such version; it has {}", versions.join(", "));
            PlatformError::new(Code::VersionNotFound, message)
        })
    }

    /// Publishes an artifact as the next version and moves the default alias to it. The same source as the live
    /// version's makes no new one: then `false` comes back with the live version.
    ///
    /// `ready` has a look at the version before anybody else can; when it refuses, there is no such version, and its number is
    /// given to no other.
    ///
    /// To be run to its end, whether or not the client waits: the disk and the memory change together.
    pub async fn publish(
        &self,
        prepared: Prepared,
        evidence: String,
        now_ms: i64,
        ready: impl AsyncFnOnce(&Arc<VersionEntry>) -> Result<(), PlatformError>,
    ) -> Result<(Arc<VersionEntry>, bool), PlatformError> {
        let mut numbers = self.numbers.lock().await;
        let name = prepared.card.name.clone();
        let known = self.get(&name);
        if let Some(live) = known.as_ref().and_then(|f| f.resolve(Qualifier::Live))
            && live.card.source_sha256 == prepared.card.source_sha256
            && live.card.model().map(|model| &model.certificate)
                == prepared.card.model().map(|model| &model.certificate)
        {
            return Ok((live.clone(), false));
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
            created_at_ms: now_ms,
            card: Arc::new(prepared.card.clone()),
            evidence: evidence.into(),
        });
        self.artifacts.place(&prepared).map_err(|e| store_failed("store the artifact", e))?;
        numbers.insert(name.clone(), number);
        ready(&entry).await?;
        let row = entry.clone();
        let inserted = self.writer.change(move |connection| insert(connection, &row)).await;
        inserted.map_err(|e| store_failed("publish the version", e))?;
        let mut function = known.map_or_else(
            || FunctionEntry {
                name: name.clone(),
                live: entry.version,
                created_at_ms: now_ms,
                versions: BTreeMap::new(),
            },
            |known| (*known).clone(),
        );
        function.live = entry.version;
        function.versions.insert(entry.version, entry.clone());
        self.functions.write().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::new(function));
        Ok((entry, true))
    }

    /// Deletes a function with all its versions. Its artifacts stay until [`Catalog::sweep`]. To be run to its end, as
    /// [`Catalog::publish`].
    pub async fn delete(&self, name: &FunctionName) -> Result<Arc<FunctionEntry>, PlatformError> {
        let _changing = self.numbers.lock().await;
        let function = self.get(name).ok_or_else(|| not_found(name))?;
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

fn insert(connection: &Connection, entry: &VersionEntry) -> rusqlite::Result<()> {
    let card =
        serde_json::to_string(&*entry.card).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
    let name = entry.card.name.as_str();
    connection.execute(
        "INSERT INTO functions (name, live, created_at_ms) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET live = excluded.live",
        params![name, entry.version.0, entry.created_at_ms],
    )?;
    connection.execute(
        "INSERT INTO numbers (function, last) VALUES (?1, ?2)
         ON CONFLICT (function) DO UPDATE SET last = excluded.last",
        params![name, entry.version.0],
    )?;
    connection.execute(
        "INSERT INTO versions (function, version, sha256, source_sha256, size_bytes, created_at_ms, card, evidence)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            name,
            entry.version.0,
            entry.sha256,
            entry.card.source_sha256,
            i64::try_from(entry.card.size_bytes()).unwrap_or(i64::MAX),
            entry.created_at_ms,
            card,
            &*entry.evidence,
        ],
    )?;
    Ok(())
}

fn load_numbers(connection: &Connection) -> rusqlite::Result<HashMap<FunctionName, u32>> {
    let mut statement = connection.prepare("SELECT function, last FROM numbers")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    // A name that is none is nobody's.
    Ok(rows
        .collect::<rusqlite::Result<Vec<_>>>()?
        .into_iter()
        .filter_map(|(n, l)| Some((n.parse().ok()?, l)))
        .collect())
}

fn load(connection: &Connection) -> rusqlite::Result<HashMap<FunctionName, Arc<FunctionEntry>>> {
    let mut statement = connection.prepare(
        "SELECT f.name, f.live, f.created_at_ms, v.version, v.sha256, v.created_at_ms, v.card, v.evidence
         FROM functions f JOIN versions v ON v.function = f.name",
    )?;
    let mut functions: HashMap<FunctionName, FunctionEntry> = HashMap::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let broken =
            |e: &dyn std::fmt::Display| rusqlite::Error::ToSqlConversionFailure(e.to_string().into());
        let name: FunctionName = row.get::<_, String>(0)?.parse().map_err(|e| broken(&e))?;
        let card: ArtifactCard = serde_json::from_str(row.get_ref(6)?.as_str()?).map_err(|e| broken(&e))?;
        let version = Version(row.get(3)?);
        let entry = VersionEntry {
            version,
            sha256: row.get(4)?,
            created_at_ms: row.get(5)?,
            card: Arc::new(card),
            evidence: row.get::<_, String>(7)?.into(),
        };
        let (live, created_at_ms) = (Version(row.get(1)?), row.get(2)?);
        functions
            .entry(name.clone())
            .or_insert_with(|| FunctionEntry { name, live, created_at_ms, versions: BTreeMap::new() })
            .versions
            .insert(version, Arc::new(entry));
    }
    Ok(functions.into_iter().map(|(name, function)| (name, Arc::new(function))).collect())
}
