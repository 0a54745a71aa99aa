// Uploads: the store knows them, each makes its journey in parts, rows and the tray show them, drop brings files, and
// again brings those that a reload stopped.
import "./tray.js";
import "./drop.js";
import "./again.js";
import "./reach.js";
import "./storage.js";
