//! The inputs on disk.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::rng::hash;
use crate::targets::{TARGETS, Target};

/// Inputs that are worth keeping, by target.
pub(crate) fn corpus_dir(target: &Target) -> PathBuf {
    root().join("corpus").join(target.name)
}

/// Inputs that a run found to fail, by target. Not part of the repository.
pub(crate) fn artifacts_dir(target: &Target) -> PathBuf {
    root().join("artifacts").join(target.name)
}

/// The file that holds the input of the case under way, where a fault would end the process.
pub(crate) fn current_file(target: &Target) -> PathBuf {
    artifacts_dir(target).join("current")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An input and where it lies.
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) input: Vec<u8>,
}

/// The files of a directory in the order of their names; none if it does not exist.
pub(crate) fn load(directory: &Path) -> Result<Vec<Entry>> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let list = fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
    let mut paths = list.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    paths.into_iter().map(load_file).collect()
}

pub(crate) fn load_file(path: PathBuf) -> Result<Entry> {
    let input = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Entry { path, input })
}

/// The target of a file: the name of its directory.
pub(crate) fn target_of(path: &Path) -> Result<&'static Target> {
    let name =
        path.canonicalize().ok().and_then(|path| Some(path.parent()?.file_name()?.to_str()?.to_owned()));
    by_name(&name.unwrap_or_default())
        .with_context(|| format!("{} lies in no target's directory", path.display()))
}

/// The target of that name.
pub(crate) fn by_name(name: &str) -> Result<&'static Target> {
    let target = TARGETS.iter().find(|target| target.name == name);
    target.with_context(|| format!("there is no target {name:?}: see the command `list`"))
}

/// Keeps an input that fails; returns its file.
pub(crate) fn save_artifact(target: &Target, kind: &str, input: &[u8]) -> Result<PathBuf> {
    let directory = artifacts_dir(target);
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let path = directory.join(format!("{kind}-{:016x}", hash(input)));
    fs::write(&path, input).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// How a person runs that file again: in the build that looks hardest.
pub(crate) fn command(path: &Path) -> String {
    let path = std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    format!("make fuzz ARGS=\"replay {}\"", path.display())
}

/// Checks that every directory of the corpus belongs to a target.
pub(crate) fn check_names() -> Result<()> {
    for entry in fs::read_dir(root().join("corpus")).context("cannot list the corpus")? {
        let name = entry?.file_name();
        let known = TARGETS.iter().any(|target| name == target.name);
        ensure!(known, "corpus/{} belongs to no target", name.display());
    }
    Ok(())
}
