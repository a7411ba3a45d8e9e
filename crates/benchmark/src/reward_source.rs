//! Where the rewards of a benchmark come from, in a few words.

use std::path::Path;

use crystalgym_evaluation::{CalculatorConfig, CalculatorName, GthCutoff};

const RECOMMENDED: &str = "recommended cutoffs";

/// Where rewards come from, by the settings on record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RewardSource {
    /// Whether density functional theory stands behind them.
    pub is_dft: bool,
    /// What and how, as `GTH 16 Ry, 100 k-points per reciprocal atom`.
    pub text: String,
}

impl RewardSource {
    /// That of a calculator.
    pub fn of(config: &CalculatorConfig) -> Self {
        let without = |text: &str| Self {
            is_dft: false,
            text: format!("no DFT: {text}"),
        };
        let family = || {
            let name = config.pseudopotentials.as_deref()?;
            Some(name.trim_end_matches('/').rsplit('/').next()?.to_owned())
        };
        match config.name {
            CalculatorName::Rigid => without("mass over volume"),
            CalculatorName::Empirical => without("textbook formulas"),
            CalculatorName::Chgnet => without("the potential CHGNet 0.3.0"),
            CalculatorName::Table => {
                let file = config.table.file.as_deref().unwrap_or_default();
                let stem = Path::new(file).file_stem().unwrap_or_default();
                let table = format!("table {}", stem.to_string_lossy());
                match config.maker().map(|maker| Self::of(&maker)) {
                    Ok(maker) => Self {
                        text: format!("{}, {table}", maker.text),
                        ..maker
                    },
                    Err(_) => Self {
                        is_dft: false,
                        text: format!("{table}, which is not here"),
                    },
                }
            }
            CalculatorName::Native => {
                let native = &config.native;
                let potentials = family().unwrap_or_else(|| "GTH".to_owned());
                let is_gth = config.pseudopotentials.is_none();
                let cutoff = match (native.ecutwfc_ry, native.gth_cutoff_ry) {
                    (Some(cutoff), _) => format!("{cutoff} Ry"),
                    (None, Some(GthCutoff::Ry(cutoff))) if is_gth => format!("{cutoff} Ry"),
                    (None, Some(GthCutoff::ByElements(_))) if is_gth => RECOMMENDED.to_owned(),
                    (None, _) if is_gth => format!("{} cutoff", native.accuracy),
                    (None, _) => RECOMMENDED.to_owned(),
                };
                Self::dft(&potentials, &cutoff, native.kppa(), "built-in engine")
            }
            CalculatorName::Qe => {
                let pw = &config.qe.pw;
                let potentials = family().unwrap_or_else(|| "SSSP".to_owned());
                let cutoff = format!("{} Ry", pw.ecutwfc_ry);
                Self::dft(&potentials, &cutoff, pw.kppa, "pw.x")
            }
        }
    }

    fn dft(potentials: &str, cutoff: &str, kppa: f64, engine: &str) -> Self {
        Self {
            is_dft: true,
            text: format!("{potentials} {cutoff}, {kppa} k-points per reciprocal atom, {engine}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: written out by hand.
    #[test]
    fn a_badge_says_what_computes() {
        let mut config = CalculatorConfig::default();
        let text = |config: &CalculatorConfig| RewardSource::of(config).text;
        assert!(text(&config).starts_with("GTH fast cutoff, 1000 k-points"));
        config.native.gth_cutoff_ry = Some(GthCutoff::Ry(16.0));
        config.native.kppa = Some(100.0);
        let gth = "GTH 16 Ry, 100 k-points per reciprocal atom, built-in engine";
        assert_eq!(text(&config), gth);
        config.pseudopotentials = Some("/somewhere/SSSP-1.3.0/".to_owned());
        assert!(text(&config).starts_with("SSSP-1.3.0 recommended cutoffs, 100 k-points"));
        config.native.ecutwfc_ry = Some(50.0);
        assert!(text(&config).starts_with("SSSP-1.3.0 50 Ry, "));
        config.name = CalculatorName::Rigid;
        let rigid = RewardSource::of(&config);
        assert!(!rigid.is_dft && rigid.text.starts_with("no DFT"));
    }
}
