//! Rows of the table, as lines of JSON for the script that prints it.

use std::io::Write;

use anyhow::Result;
use queqiao_load::histogram::Spread;
use serde_json::json;

/// The value below which `share` of the values lie.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let index = ((values.len() as f64 * share).ceil() as usize).saturating_sub(1);
    values.get(index).copied()
}

/// A row with a distribution.
pub(crate) fn spread(id: &str, mut values: Vec<f64>, note: &str) -> Result<()> {
    let p50 = percentile(&mut values, 0.5);
    let p95 = percentile(&mut values, 0.95);
    let max = values.last();
    print(&json!({"id": id, "p50": p50, "p95": p95, "max": max, "n": values.len(), "note": note}))
}

/// A row with a distribution that the load generator has counted.
pub(crate) fn report(id: &str, spread: &Spread, note: &str) -> Result<()> {
    let Spread { count, p50, p95, max, .. } = spread;
    print(&json!({"id": id, "p50": p50, "p95": p95, "max": max, "n": count, "note": note}))
}

/// A row with one value.
pub(crate) fn single(id: &str, value: f64, n: usize, note: &str) -> Result<()> {
    print(&json!({"id": id, "p50": value, "n": n, "note": note}))
}

fn print(row: &serde_json::Value) -> Result<()> {
    writeln!(std::io::stdout(), "{row}")?;
    Ok(())
}
