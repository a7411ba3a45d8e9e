/// What is known of an element; sources in `scripts/generate_elements.py`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ElementData {
    /// Symbol, such as `Na`.
    pub symbol: &'static str,
    /// English name.
    pub name: &'static str,
    /// Standard atomic weight in unified atomic mass units.
    pub mass_u: f64,
    /// Group of the periodic table, 1 to 18; 0 in the f block.
    pub group: u8,
    /// Period, 1 to 7.
    pub period: u8,
    /// Block: `s`, `p`, `d` or `f`.
    pub block: char,
    /// Electrons outside the noble-gas core and filled inner shells.
    pub valence_electrons: u8,
    /// Electronegativity on Pauling's scale.
    pub electronegativity_pauling: Option<f64>,
    /// Single-bond covalent radius in Å.
    pub covalent_radius_ang: Option<f64>,
    /// Empirical atomic radius (Slater) in Å.
    pub atomic_radius_ang: Option<f64>,
    /// Van der Waals radius in Å.
    pub van_der_waals_radius_ang: Option<f64>,
    /// Common oxidation states, ascending.
    pub oxidation_states: &'static [i8],
    /// Shannon ionic radii (charge, Å), ascending by charge.
    pub ionic_radii_ang: &'static [(i8, f64)],
}
