//! What the agent believes of crystals.

use crystalgym_evaluation::Property;
use crystalgym_surrogate::{
    Correction, Forecast, Known, ModelHyperparameters, Pair, PropertyModel,
};

use super::results::Results;

/// What the agent knows of crystals, and what it believes of the others.
pub(super) struct Knowledge {
    /// What calculations said.
    pub(super) results: Results,
    /// What was found out cheaply.
    pub(super) screened: Results,
    pub(super) belief: Belief,
}

/// A model of what calculations say; where crystals are screened, a model of what cheap ones say
/// with its correction.
#[derive(Debug, Clone)]
pub(super) struct Belief {
    model: PropertyModel,
    correction: Option<Correction>,
}

impl Belief {
    /// Of what the calculations that are modelled said; `pairs` where these are cheap ones.
    pub(super) fn new(
        property: Property,
        data: &[(&[f64], Known)],
        hyperparameters: &ModelHyperparameters,
        pairs: Option<&[Pair<'_>]>,
    ) -> Self {
        Self {
            model: PropertyModel::new(property, data, hyperparameters),
            correction: pairs.map(|pairs| Correction::new(property, pairs)),
        }
    }

    /// Takes a crystal that is being calculated as if its expected value had come.
    pub(super) fn believe(&mut self, features: &[f64]) {
        match &mut self.correction {
            Some(correction) => correction.believe(features),
            None => self.model.believe(features),
        }
    }

    /// What is expected of a crystal, of which there may be a cheap result.
    pub(super) fn forecast(&self, features: &[f64], cheap: Option<Known>) -> Forecast {
        self.corrected(features, cheap, self.model.forecast(features))
    }

    /// The same, with uncertainties of the model that are the same for all crystals.
    pub(super) fn forecast_roughly(&self, features: &[f64], cheap: Option<Known>) -> Forecast {
        self.corrected(features, cheap, self.model.forecast_roughly(features))
    }

    fn corrected(&self, features: &[f64], cheap: Option<Known>, model: Forecast) -> Forecast {
        match (&self.correction, cheap) {
            (None, _) => model,
            (Some(correction), None) => correction.of_forecast(features, &model),
            (Some(correction), Some(cheap)) => correction.of_result(features, cheap, &model),
        }
    }

    /// Values of several crystals, should each have one above the floor, from as many standard normal
    /// numbers: in one function drawn from the model; of screened crystals, each by itself.
    pub(super) fn draw(
        &self,
        features: &[&[f64]],
        forecasts: &[&Forecast],
        normals: &[f64],
    ) -> Vec<f64> {
        if self.correction.is_none() {
            return self.model.draw(features, normals);
        }
        let drawn = forecasts.iter().zip(normals);
        drawn
            .map(|(forecast, z)| forecast.value.mean + forecast.value.spread * z)
            .collect()
    }
}
