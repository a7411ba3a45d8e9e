//! The algorithms' colours and shapes.

use crystalgym_training::Algorithm;

/// How an algorithm looks in every figure: the colours of Okabe and Ito, told apart with every kind
/// of colour vision, and a shape for those who see none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AlgorithmStyle {
    /// Class of its marks.
    pub(crate) key: &'static str,
    /// Name to be read.
    pub(crate) name: &'static str,
    /// Colour on white.
    pub(crate) light: &'static str,
    /// Colour on near black.
    pub(crate) dark: &'static str,
    pub(crate) shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Circle,
    Square,
    Diamond,
    Triangle,
    Down,
    Cross,
    Plus,
    Pentagon,
}

/// In the order in which they are listed.
pub(crate) const ALGORITHMS: [Algorithm; 10] = [
    Algorithm::Ppo,
    Algorithm::Sac,
    Algorithm::Dqn,
    Algorithm::Rainbow,
    Algorithm::GFlowNet,
    Algorithm::Surrogate,
    Algorithm::Llm,
    Algorithm::RandomSearch,
    Algorithm::Genetic,
    Algorithm::LocalSearch,
];

pub(crate) fn style_of(algorithm: Algorithm) -> AlgorithmStyle {
    let style = |key, name, light, dark, shape| AlgorithmStyle {
        key,
        name,
        light,
        dark,
        shape,
    };
    match algorithm {
        Algorithm::Ppo => style("ppo", "PPO", "#0072b2", "#5ab4f0", Shape::Circle),
        Algorithm::Sac => style("sac", "SAC", "#d55e00", "#ff9147", Shape::Square),
        Algorithm::Dqn => style("dqn", "DQN", "#009e73", "#2fcf9f", Shape::Diamond),
        Algorithm::Rainbow => style("rainbow", "Rainbow", "#b3548c", "#e793c2", Shape::Triangle),
        Algorithm::GFlowNet => style("gflownet", "GFlowNet", "#6b7a00", "#c3d24a", Shape::Diamond),
        Algorithm::Surrogate => style(
            "surrogate",
            "Surrogate",
            "#c1272d",
            "#ff7b7f",
            Shape::Pentagon,
        ),
        Algorithm::Llm => style(
            "llm",
            "Language model",
            "#5b4ab8",
            "#a79bf0",
            Shape::Pentagon,
        ),
        Algorithm::RandomSearch => style("random", "Random", "#6b6f76", "#a6abb3", Shape::Cross),
        Algorithm::Genetic => style("genetic", "Genetic", "#3a9bd0", "#9bd6f5", Shape::Down),
        Algorithm::LocalSearch => style("local", "Local search", "#b07a00", "#f2c14e", Shape::Plus),
    }
}

/// Where the algorithm stands in lists.
pub(crate) fn rank(algorithm: Algorithm) -> usize {
    let known = ALGORITHMS.iter().position(|other| *other == algorithm);
    known.unwrap_or(ALGORITHMS.len())
}
