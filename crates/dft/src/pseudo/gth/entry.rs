/// A row of the built-in table.
pub(super) struct GthEntry {
    pub(super) symbol: &'static str,
    pub(super) name: &'static str,
    /// Valence electrons in s, p, d, f.
    pub(super) shells: [u8; 4],
    pub(super) r_local: f64,
    pub(super) local: &'static [f64],
    /// r_l and the upper triangle of h_ij by rows, for each l.
    pub(super) channels: &'static [(f64, &'static [f64])],
}
