// Images of games: painted before they are there, and sent. What an image on its way is: image-upload.js.
import "./placeholders.js";
import "./image-tiles.js";
import "./drop-zone.js";
import "./tray-rows.js";
import "./selection.js";
