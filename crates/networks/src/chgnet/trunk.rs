//! A partly filled crystal as CHGNet sees it.

use std::{fmt, str::FromStr, sync::Arc};

use crystalgym_crystal::{Crystal, Element, Skeleton};
use serde::{Deserialize, Serialize};

use super::{
    features::{ChgnetFeatures, LayerOrder, WIDTH},
    head::ChgnetHead,
};
use crate::{NetworkError, PartialCrystal, Trunk};

/// What stands on the sites that are still empty, as CHGNet knows atoms alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Blanks {
    /// The element that the site has in the material that the skeleton is of.
    #[default]
    Material,
    /// One element on all of them.
    Element(Element),
}

/// What is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("blanks is '{0}', expected material or the symbol of an element")]
pub struct UnknownBlanks(String);

impl FromStr for Blanks {
    type Err = UnknownBlanks;

    fn from_str(text: &str) -> Result<Self, UnknownBlanks> {
        match text {
            "material" => Ok(Self::Material),
            _ => match text.parse() {
                Ok(element) => Ok(Self::Element(element)),
                Err(_) => Err(UnknownBlanks(text.to_owned())),
            },
        }
    }
}

impl TryFrom<String> for Blanks {
    type Error = UnknownBlanks;

    fn try_from(text: String) -> Result<Self, UnknownBlanks> {
        text.parse()
    }
}

impl From<Blanks> for String {
    fn from(blanks: Blanks) -> Self {
        blanks.to_string()
    }
}

impl fmt::Display for Blanks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Material => f.write_str("material"),
            Self::Element(element) => f.write_str(element.symbol()),
        }
    }
}

/// Features of a partly filled crystal by CHGNet, which is not trained and shared by all heads.
///
/// | head | features |
/// |---|---|
/// | `published` | the sum over the sites (64) |
/// | `standard` | the mean over the sites, the mean over the filled ones, those of the site in focus (64 each), the share of the sites that are filled |
#[derive(Debug)]
pub struct ChgnetTrunk {
    features: Arc<ChgnetFeatures>,
    head: ChgnetHead,
    order: LayerOrder,
    blanks: Blanks,
    elements: Arc<[Element]>,
    frames: Vec<Frame>,
}

/// A skeleton, and what stands on its empty sites.
#[derive(Debug)]
struct Frame {
    skeleton: Arc<Skeleton>,
    geometry: usize,
    blank: Vec<Element>,
}

impl ChgnetTrunk {
    /// A trunk for these skeletons and these elements to choose from.
    ///
    /// # Errors
    /// [`NetworkError::Pretrained`] for a skeleton with an isolated site or an element that CHGNet does
    /// not know; [`NetworkError::Config`] where the material is to stand in and is not known.
    pub fn new(
        features: Arc<ChgnetFeatures>,
        head: ChgnetHead,
        order: LayerOrder,
        blanks: Blanks,
        skeletons: &[Arc<Skeleton>],
        elements: &[Element],
    ) -> Result<Self, NetworkError> {
        let frames = skeletons.iter().map(|skeleton| {
            let blank = stand_ins(skeleton, blanks)?;
            let geometry = features.geometry(skeleton);
            // Which elements there are and who has neighbours is all that can be refused.
            for first in blank.first().into_iter().chain(elements) {
                let filled = crystal(skeleton, vec![*first; skeleton.sites()])?;
                features.sites(geometry, &filled, order)?;
            }
            Ok(Frame {
                skeleton: Arc::clone(skeleton),
                geometry,
                blank,
            })
        });
        Ok(Self {
            frames: frames.collect::<Result<_, NetworkError>>()?,
            features,
            head,
            order,
            blanks,
            elements: elements.into(),
        })
    }

    /// What the features come from.
    pub fn features_of(&self) -> &Arc<ChgnetFeatures> {
        &self.features
    }
}

/// The elements that stand on the sites of a skeleton while they are empty.
fn stand_ins(skeleton: &Skeleton, blanks: Blanks) -> Result<Vec<Element>, NetworkError> {
    match (blanks, &skeleton.source.elements) {
        (Blanks::Element(element), _) => Ok(vec![element; skeleton.sites()]),
        (Blanks::Material, Some(elements)) if elements.len() == skeleton.sites() => {
            Ok(elements.clone())
        }
        (Blanks::Material, _) => Err(NetworkError::Config {
            field: "blanks",
            found: "material".to_owned(),
            expected: format!(
                "the symbol of an element: the material of {} is not known",
                skeleton.label
            ),
        }),
    }
}

fn crystal(skeleton: &Arc<Skeleton>, elements: Vec<Element>) -> Result<Crystal, NetworkError> {
    Crystal::new(Arc::clone(skeleton), elements).map_err(|error| NetworkError::Config {
        field: "skeleton",
        found: skeleton.label.clone(),
        expected: error.to_string(),
    })
}

impl Trunk for ChgnetTrunk {
    fn width(&self) -> usize {
        match self.head {
            ChgnetHead::Published => WIDTH,
            ChgnetHead::Standard => 3 * WIDTH + 1,
        }
    }

    fn features(&self, seen: PartialCrystal<'_>, out: &mut [f32]) {
        out.fill(0.0);
        let frame = &self.frames[seen.skeleton];
        let element_of = |node_type: u8| self.elements.get(usize::from(node_type));
        let sites = seen.node_types.iter().zip(&frame.blank);
        let elements = sites.map(|(&node_type, blank)| *element_of(node_type).unwrap_or(blank));
        // What could be refused was refused when the trunk was made; zeros are what is left to say.
        let Ok(crystal) = crystal(&frame.skeleton, elements.collect()) else {
            return;
        };
        let Ok(rows) = self.features.sites(frame.geometry, &crystal, self.order) else {
            return;
        };
        match self.head {
            ChgnetHead::Published => rows.iter().for_each(|(_, row)| add(row, 1.0, out)),
            ChgnetHead::Standard => {
                let is_filled = |site: usize| element_of(seen.node_types[site]).is_some();
                let filled = (0..rows.len()).filter(|&site| is_filled(site)).count();
                let (of_all, rest) = out.split_at_mut(WIDTH);
                let (of_filled, rest) = rest.split_at_mut(WIDTH);
                let (of_focus, share) = rest.split_at_mut(WIDTH);
                for (site, row) in rows.iter() {
                    add(row, 1.0 / rows.len() as f32, of_all);
                    if is_filled(site) {
                        add(row, 1.0 / filled as f32, of_filled);
                    }
                    if site == seen.focus {
                        of_focus.copy_from_slice(row);
                    }
                }
                share[0] = filled as f32 / rows.len() as f32;
            }
        }
    }

    fn for_skeletons(&self, skeletons: &[Arc<Skeleton>]) -> Result<Self, NetworkError> {
        Self::new(
            Arc::clone(&self.features),
            self.head,
            self.order,
            self.blanks,
            skeletons,
            &self.elements,
        )
    }
}

fn add(row: &[f32; WIDTH], factor: f32, sum: &mut [f32]) {
    for (sum, x) in sum.iter_mut().zip(row) {
        *sum += factor * x;
    }
}
