//! The top of the valence bands and the bottom of the conduction bands, and where they are.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A band edge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BandEdge {
    /// Energy in eV.
    pub energy_ev: f64,
    /// In units of the reciprocal lattice vectors.
    pub k_frac: [f64; 3],
    /// The name of the point, if it has one.
    pub label: Option<String>,
}

impl BandEdge {
    /// Its name, or its position.
    pub fn place(&self) -> String {
        match &self.label {
            Some(label) => label.clone(),
            None => format!("({})", self.k_frac.map(short).join(", ")),
        }
    }
}

fn short(x: f64) -> String {
    let text = format!("{x:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

/// The edges of filled and empty bands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GapEdges {
    /// The highest level of band N/2.
    pub valence: BandEdge,
    /// The lowest level of the next band.
    pub conduction: BandEdge,
    /// The smallest difference of the two bands at one k-point, in eV.
    pub direct_gap_ev: f64,
    /// Divisions of the mesh on which levels were computed besides, if there was one.
    pub k_mesh: Option<[u32; 3]>,
}

/// Electrons count as an even number up to this.
const ELECTRON_TOLERANCE: f64 = 1e-6;
/// Levels this close are one: the k-point met first, on a path the one with a name, is the place.
const SAME_EV: f64 = 1e-6;

impl GapEdges {
    /// Among the levels at some k-points (position, name, energies in eV ascending) with N electrons; `None`
    /// for an odd N or without an empty band.
    ///
    /// The bands may overlap: then the conduction edge is below the valence edge.
    pub fn among<'a>(
        levels: impl IntoIterator<Item = ([f64; 3], Option<&'a str>, &'a [f64])>,
        electrons: f64,
    ) -> Option<Self> {
        let pairs = (electrons / 2.0).round();
        if (electrons - 2.0 * pairs).abs() > ELECTRON_TOLERANCE || pairs < 1.0 {
            return None;
        }
        let last = pairs as usize - 1;
        let mut edges: Option<Self> = None;
        for (k_frac, label, energies) in levels {
            let (&top, &bottom) = (energies.get(last)?, energies.get(last + 1)?);
            let edge = |energy_ev| BandEdge {
                energy_ev,
                k_frac,
                label: label.map(str::to_owned),
            };
            match &mut edges {
                None => {
                    edges = Some(Self {
                        valence: edge(top),
                        conduction: edge(bottom),
                        direct_gap_ev: bottom - top,
                        k_mesh: None,
                    });
                }
                Some(edges) => {
                    if top > edges.valence.energy_ev + SAME_EV {
                        edges.valence = edge(top);
                    }
                    if bottom < edges.conduction.energy_ev - SAME_EV {
                        edges.conduction = edge(bottom);
                    }
                    edges.direct_gap_ev = edges.direct_gap_ev.min(bottom - top);
                }
            }
        }
        edges
    }

    /// Conduction edge minus valence edge in eV, 0 where the bands overlap.
    pub fn gap_ev(&self) -> f64 {
        (self.conduction.energy_ev - self.valence.energy_ev).max(0.0)
    }

    /// Whether both edges are at one k-point.
    pub fn is_direct(&self) -> bool {
        self.direct_gap_ev - self.gap_ev() < 2.0 * SAME_EV
    }
}

/// `band gap 0.6123 eV, indirect (2.5660 eV direct): valence edge at Γ, conduction edge at (0.42, 0, 0.42)`, or
/// that there is none.
impl fmt::Display for GapEdges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gap = self.gap_ev();
        if gap == 0.0 {
            return f.write_str("no band gap: the bands overlap");
        }
        write!(f, "band gap {gap:.4} eV, ")?;
        match self.is_direct() {
            true => f.write_str("direct")?,
            false => write!(f, "indirect ({:.4} eV direct)", self.direct_gap_ev)?,
        }
        let (valence, conduction) = (self.valence.place(), self.conduction.place());
        write!(
            f,
            ": valence edge at {valence}, conduction edge at {conduction}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand.
    #[test]
    fn edges_are_where_the_bands_turn() {
        let points = [
            ([0.0; 3], Some("Γ"), vec![-1.0, 0.0, 3.0]),
            ([0.25, 0.0, 0.0], None, vec![-1.1, -0.5, 2.0]),
            ([0.5, 0.0, 0.0], Some("X"), vec![-1.2, -0.1, 2.5]),
        ];
        let levels = || points.iter().map(|(k, label, e)| (*k, *label, &e[..]));
        let edges = GapEdges::among(levels(), 4.0).unwrap();
        assert_eq!(edges.valence.label.as_deref(), Some("Γ"));
        assert_eq!(edges.conduction.k_frac, [0.25, 0.0, 0.0]);
        assert_eq!((edges.gap_ev(), edges.direct_gap_ev), (2.0, 2.5));
        assert!(!edges.is_direct());
        let text = "band gap 2.0000 eV, indirect (2.5000 eV direct): valence edge at Γ, \
                    conduction edge at (0.25, 0, 0)";
        assert_eq!(edges.to_string(), text);
        assert_eq!(GapEdges::among(levels(), 3.0), None);
        assert_eq!(GapEdges::among(levels(), 6.0), None);
        let direct = GapEdges::among(levels().take(1), 2.0).unwrap();
        assert!(direct.is_direct());
    }
}
