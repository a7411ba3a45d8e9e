use std::sync::Arc;

use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Options, Tree, fontdb::Database},
};

use crate::{ReportError, style::FONT_FAMILY};

/// Inter 4.0, the glyphs that figures need (SIL Open Font License 1.1, see `assets/fonts/OFL.txt`).
pub(crate) static REGULAR: &[u8] = include_bytes!("../assets/fonts/Inter-Regular.otf");
/// The same, semi-bold.
pub(crate) static SEMI_BOLD: &[u8] = include_bytes!("../assets/fonts/Inter-SemiBold.otf");

/// Pixels of a picture for one of its drawing.
const ZOOM: f32 = 2.0;

/// Turns SVG files into PNG pictures with the embedded typeface, whatever the machine has.
pub struct Rasterizer {
    options: Options<'static>,
}

impl Default for Rasterizer {
    fn default() -> Self {
        let mut fonts = Database::new();
        for font in [REGULAR, SEMI_BOLD] {
            fonts.load_font_data(font.to_vec());
        }
        fonts.set_sans_serif_family(FONT_FAMILY);
        Self {
            options: Options {
                font_family: FONT_FAMILY.to_owned(),
                fontdb: Arc::new(fonts),
                ..Options::default()
            },
        }
    }
}

impl Rasterizer {
    /// The PNG file of an SVG file, twice its size in pixels.
    ///
    /// # Errors
    /// [`ReportError::Picture`].
    pub fn png(&self, name: &str, svg: &str) -> Result<Vec<u8>, ReportError> {
        let failed = |message: String| ReportError::Picture {
            figure: name.to_owned(),
            message,
        };
        let tree = Tree::from_str(svg, &self.options).map_err(|e| failed(e.to_string()))?;
        let size = tree.size();
        let (width, height) = (size.width() * ZOOM, size.height() * ZOOM);
        let mut pixels = Pixmap::new(width.ceil() as u32, height.ceil() as u32)
            .ok_or_else(|| failed(format!("{width} × {height} pixels are no picture")))?;
        let transform = Transform::from_scale(ZOOM, ZOOM);
        resvg::render(&tree, transform, &mut pixels.as_mut());
        pixels.encode_png().map_err(|e| failed(e.to_string()))
    }
}
