/// Numbers that a network is to return for each observation: first those of the observation as a
/// whole, then as many for each action, action by action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outputs {
    /// Numbers of the observation as a whole, such as its value.
    pub whole: usize,
    /// Numbers of each action.
    pub each_action: usize,
}

impl Outputs {
    /// A number for each action.
    pub const ACTIONS: Self = Self {
        whole: 0,
        each_action: 1,
    };
    /// One number for the observation.
    pub const VALUE: Self = Self {
        whole: 1,
        each_action: 0,
    };

    /// All numbers, for so many actions.
    pub fn total(self, actions: usize) -> usize {
        self.whole + actions * self.each_action
    }
}
