//! MEGNet (Chen, Ye, Zuo, Zheng and Ong, Chem. Mater. 31, 3564 (2019)) on partly filled skeletons.

mod backward;
mod config;
mod forward;
mod index;
mod layout;
mod network;
mod set2set;
mod shape;
mod soft;
mod template;
mod workspace;

pub use self::{
    config::{InputStyle, MegnetConfig},
    network::Megnet,
    shape::MegnetShape,
    soft::SoftCrystal,
    template::GraphTemplate,
    workspace::Workspace,
};
