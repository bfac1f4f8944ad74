//! Markdown tables of medians and ratios.

/// The middle of some figures.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Between which two of the figures the middle of ever more of them would lie, in 95 of 100 such measurements.
///
/// By ranks (a figure lies below the true median as a coin falls), so whatever their distribution is.
pub fn median_within(mut values: Vec<f64>) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    let half = values.len() as f64 / 2.0;
    let reach = 0.98 * (values.len() as f64).sqrt();
    let at = |rank: f64| values.get(rank.max(0.0) as usize).or(values.last()).copied().unwrap_or(f64::NAN);
    [at((half - reach).floor()), at((half + reach).floor())]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_within_and_more_figures_draw_it_closer() {
        let figures =
            |count: u32| (0..count).map(|i| f64::from(i * 7919 % count) / f64::from(count)).collect();
        let width = |count| {
            let [low, high] = median_within(figures(count));
            let middle = median(figures(count));
            assert!(low <= middle && middle <= high, "{middle} of {count} in {low} to {high}");
            high - low
        };
        assert_eq!(width(1), 0.0);
        assert!(width(11) > width(101) && width(101) > width(1_001));
        // The 40th to the 60th of a hundred.
        assert!((width(101) - 0.2).abs() < 0.02, "{}", width(101));
    }
}
