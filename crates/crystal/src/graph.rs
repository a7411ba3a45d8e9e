/// One direction of a bond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DirectedEdge {
    /// Site that sends.
    pub source: usize,
    /// Site that receives.
    pub target: usize,
    /// Lattice translation of the source as seen from the target at home: the bond vector is
    /// `x_source + image · lattice − x_target`.
    pub image: [i32; 3],
    /// Bond length in Å.
    pub distance: f64,
}

/// The bonds of a skeleton, both directions of each, independent of the elements.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CrystalGraph {
    /// Number of sites.
    pub sites: usize,
    /// Directed edges: 2k and 2k+1 are the two directions of undirected edge k.
    pub edges: Vec<DirectedEdge>,
}
