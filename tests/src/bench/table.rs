//! Markdown tables of medians and ratios.

/// The middle of some figures.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// `12.3k` for rates.
pub fn rate(value: f64) -> String {
    if value >= 1e3 { format!("{:.1}k", value / 1e3) } else { format!("{value:.0}") }
}

/// A table row.
pub fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// The head of a table.
pub fn head(cells: &[&str]) -> String {
    format!("| {} |\n| {} |\n", cells.join(" | "), vec!["---"; cells.len()].join(" | "))
}
