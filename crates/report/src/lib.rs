//! Figures and the page of a benchmark, and a server that shows them while it runs.
//!
//! [`ReportData`] (what the folders say) → [`figures`] ([`Figure`]: panels, caption, numbers) →
//! [`write_report`] (SVG, PNG, CSV and [`page`]) or [`WatchServer`].
//!
//! Figures carry classes instead of colours, which a charting library does not offer: so one drawing
//! is a file on white, and in the page has a light and a dark mode, tooltips and a choice of axes.

mod axis;
mod canvas;
mod data;
mod electronic_plots;
mod element_colours;
mod error;
mod figure;
mod figures;
mod line_plot;
mod marks;
mod page;
mod palette;
mod png;
mod queue_page;
mod scene;
mod server;
mod style;
mod watched;
mod write;

pub use data::{Reference, ReportData};
pub use electronic_plots::{band_plot, states_plot};
pub use element_colours::element_colour;
pub use error::ReportError;
pub use figure::{DataTable, Figure, Section};
pub use figures::figures;
pub use line_plot::{LinePlot, PlotLine, stacked_svg};
pub use page::{PageMode, page};
pub use png::Rasterizer;
pub use server::WatchServer;
pub use write::{Written, write_report};
