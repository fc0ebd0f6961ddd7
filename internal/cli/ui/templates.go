package ui

import (
	"embed"
	"html/template"
	"path"
	"strings"
)

//go:embed templates
var templateFiles embed.FS

// pages has a template for each page, by its file's name: what it shows under "main",
// in the frame of layout.html.
var pages = parseTemplates()

func parseTemplates() map[string]*template.Template {
	layout := template.Must(template.ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err)
	}
	all := map[string]*template.Template{}
	for _, file := range files {
		name := strings.TrimSuffix(file.Name(), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		all[name] = template.Must(template.Must(layout.Clone()).ParseFS(templateFiles, path.Join("templates", file.Name())))
	}
	return all
}
