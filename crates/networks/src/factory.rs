//! All networks by name: the one place that knows which there are.

use std::sync::Arc;

use crystalgym_crystal::Skeleton;
use crystalgym_environment::{Observation, Task};
use rand_pcg::Pcg64;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::{Map, Value};

use crate::{
    Gradients, GraphNetwork, NetworkError, NetworkShape, Outputs, Parameters, SiteBySite,
    SiteBySiteWorkspace,
    chgnet::{ChgnetNetwork, ChgnetShape},
    megnet::{Megnet, MegnetShape},
    perceptron::{Perceptron, PerceptronShape},
};

macro_rules! networks {
    ($($(#[$doc:meta])* $kind:ident($network:ty, $shape:ty) = $name:literal,)*) => {
        /// A network of any kind.
        #[derive(Debug, Clone)]
        pub enum Network {
            $($(#[$doc])* $kind(SiteBySite<$network>),)*
        }

        /// Memory of a forward pass of any kind of network.
        pub enum NetworkWorkspace {
            $($(#[$doc])* $kind(SiteBySiteWorkspace<<$network as GraphNetwork>::Workspace>),)*
        }

        /// The kind of network and its shape, as a configuration says them: the key `architecture`
        /// (the first kind if absent) beside the fields of the shape.
        #[derive(Debug, Clone, PartialEq)]
        pub enum NetworkConfig {
            $($(#[$doc])* $kind($shape),)*
        }

        impl NetworkConfig {
            /// Key of the kind in a configuration.
            pub const ARCHITECTURE: &str = "architecture";

            /// Names of all kinds; the first is the default.
            pub const ARCHITECTURES: &[&str] = &[$($name),*];

            /// The name of the kind.
            pub fn architecture(&self) -> &'static str {
                match self { $(Self::$kind(_) => $name,)* }
            }

            /// Whether a network can have this shape.
            ///
            /// # Errors
            /// [`NetworkError::Config`] names the first field outside of its range.
            pub fn check(&self) -> Result<(), NetworkError> {
                match self { $(Self::$kind(shape) => shape.check(),)* }
            }

            /// A new network with these outputs for each observation of this task.
            ///
            /// # Errors
            /// As [`Self::check`].
            pub fn build(
                &self,
                task: &Task,
                outputs: Outputs,
                rng: &mut Pcg64,
            ) -> Result<Network, NetworkError> {
                match self {
                    $(Self::$kind(shape) => {
                        let build = |n_outputs| shape.build(task, n_outputs, rng);
                        SiteBySite::new(task, outputs, build).map(Network::$kind)
                    })*
                }
            }

            fn from_fields(name: &str, fields: Value) -> Result<Self, String> {
                match name {
                    $($name => serde_json::from_value(fields)
                        .map(Self::$kind)
                        .map_err(|error| error.to_string()),)*
                    _ => Err(format!(
                        "{} is '{name}', expected {}",
                        Self::ARCHITECTURE,
                        Self::ARCHITECTURES.join(" or ")
                    )),
                }
            }

            fn fields(&self) -> Result<Value, serde_json::Error> {
                match self { $(Self::$kind(shape) => serde_json::to_value(shape),)* }
            }
        }

        impl GraphNetwork for Network {
            type Workspace = NetworkWorkspace;

            fn workspace(&self, threads: usize) -> Result<NetworkWorkspace, NetworkError> {
                match self {
                    $(Self::$kind(network) => {
                        Ok(NetworkWorkspace::$kind(network.workspace(threads)?))
                    })*
                }
            }

            fn for_skeletons(&self, skeletons: &[Arc<Skeleton>]) -> Result<Self, NetworkError> {
                match self {
                    $(Self::$kind(network) => Ok(Self::$kind(network.for_skeletons(skeletons)?)),)*
                }
            }

            fn last_layers(&self) -> &'static str {
                match self { $(Self::$kind(network) => network.last_layers(),)* }
            }

            fn features_per_state(&self) -> usize {
                match self { $(Self::$kind(network) => network.features_per_state(),)* }
            }

            fn n_outputs(&self) -> usize {
                match self { $(Self::$kind(network) => network.n_outputs(),)* }
            }

            fn parameters(&self) -> &Parameters {
                match self { $(Self::$kind(network) => network.parameters(),)* }
            }

            fn parameters_mut(&mut self) -> &mut Parameters {
                match self { $(Self::$kind(network) => network.parameters_mut(),)* }
            }

            fn forward<'w>(
                &self,
                seen: &[Observation<'_>],
                workspace: &'w mut NetworkWorkspace,
            ) -> Result<&'w [f32], NetworkError> {
                match (self, workspace) {
                    $((Self::$kind(network), NetworkWorkspace::$kind(workspace)) => {
                        network.forward(seen, workspace)
                    })*
                    _ => Err(NetworkError::Workspace),
                }
            }

            fn backward(
                &self,
                grad_outputs: &[f32],
                workspace: &mut NetworkWorkspace,
                gradients: &mut Gradients,
            ) -> Result<(), NetworkError> {
                match (self, workspace) {
                    $((Self::$kind(network), NetworkWorkspace::$kind(workspace)) => {
                        network.backward(grad_outputs, workspace, gradients)
                    })*
                    _ => Err(NetworkError::Workspace),
                }
            }
        }
    };
}

networks! {
    /// The graph network of the published agents.
    Megnet(Megnet, MegnetShape) = "megnet",
    /// A plain perceptron on descriptors of elements and sites.
    Perceptron(Perceptron, PerceptronShape) = "perceptron",
    /// A perceptron on the features of the pretrained potential CHGNet.
    Chgnet(ChgnetNetwork, ChgnetShape) = "chgnet",
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self::Megnet(MegnetShape::default())
    }
}

impl NetworkConfig {
    /// The shape of the published agents.
    pub fn published() -> Self {
        Self::Megnet(MegnetShape::published())
    }

    /// The shape of the published agents on a kind of network by name, where they had that kind.
    pub fn published_on(architecture: &str) -> Option<Self> {
        [Self::published(), Self::Chgnet(ChgnetShape::published())]
            .into_iter()
            .find(|config| config.architecture() == architecture)
    }
}

impl Serialize for NetworkConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let mut all = Map::new();
        all.insert(Self::ARCHITECTURE.to_owned(), self.architecture().into());
        if let Value::Object(fields) = self.fields().map_err(S::Error::custom)? {
            all.extend(fields);
        }
        all.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NetworkConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::<String, Value>::deserialize(deserializer)?;
        let name = match fields.remove(Self::ARCHITECTURE) {
            None => Self::ARCHITECTURES[0].to_owned(),
            Some(Value::String(name)) => name,
            Some(other) => {
                let message = format!("{} is {other}, expected a name", Self::ARCHITECTURE);
                return Err(D::Error::custom(message));
            }
        };
        Self::from_fields(&name, fields.into()).map_err(D::Error::custom)
    }
}
